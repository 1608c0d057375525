"""Minutes of a steady load: nothing grows, and nothing becomes slower.

`HALO_TEST_SOAK_SECONDS` says how long, of which the second tenth is compared with the last.
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import quantiles
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import Engine, text

from halo_engine.contacts.identify import IdentifyCall, identify
from halo_engine.contacts.track import TrackCall, track
from halo_engine.work import Work
from tests.pipeline.stage import Stage, new_stage

pytestmark = pytest.mark.torture

SECONDS = float(os.environ.get("HALO_TEST_SOAK_SECONDS", "600"))
PERIODS = 10
USERS = 500
#: Identifies and events of one beat, and how long a beat is.
CALLS = 10
BEAT_SECONDS = 0.5
MOST_DRIFT = 1.2
#: What a table may hold beside its rows, as a multiple of what it held in the second period.
MOST_BLOAT = 1.5
_QUEUES = ("signals", "automation_recipients", "automation_enrollments")


@dataclass
class _Period:
    """What was measured in one period; times are in seconds."""

    calls: int = 0
    calling: list[float] = field(default_factory=list)
    settling: list[float] = field(default_factory=list)
    idle_claims: list[float] = field(default_factory=list)
    bytes_per_row: dict[str, float] = field(default_factory=dict)


def _undisturbed(seconds: list[float]) -> float:
    """Return the first decile: what it takes when the machine does nothing else."""
    return quantiles(seconds, n=10)[0]


def _timed(action: Any) -> float:
    began = monotonic()
    action()
    return monotonic() - began


def _call(stage: Stage, number: int) -> None:
    """Change a user's plan, so that it leaves and re-enters, or fire its event."""
    turn, place = divmod(number // 2, USERS)
    user = f"u{place}"
    if number % 2:
        called = TrackCall(user_id=user, event="paid")
        stage.perform(lambda work: track(work, called))
    else:
        traits = {"email": f"{user}@a.example", "plan": "free" if turn % 2 else "pro"}
        named = IdentifyCall(user_id=user, traits=traits)
        stage.perform(lambda work: identify(work, named))


def _bytes_per_row(stage: Stage) -> dict[str, float]:
    sizes = {}

    def look(work: Work) -> None:
        for table in _QUEUES:
            size = work.connection.scalar(text(f"SELECT pg_total_relation_size('{table}')"))
            rows = work.connection.scalar(text(f"SELECT count(*) FROM {table}"))
            sizes[table] = int(size or 0) / max(int(rows or 0), USERS)

    stage.perform(look)
    return sizes


def _beat(stage: Stage, period: _Period, number: int) -> None:
    ends = monotonic() + BEAT_SECONDS
    for call in range(CALLS):
        period.calling.append(_timed(lambda n=number * CALLS + call: _call(stage, n)))
        period.calls += 1
    period.settling.append(_timed(lambda: stage.tick(timedelta(seconds=BEAT_SECONDS))))
    period.idle_claims.append(_timed(stage.settle))
    sleep(max(0.0, ends - monotonic()))  # the rate is what is steady here


def test_a_steady_load_neither_slows_down_nor_bloats(database: Engine) -> None:
    """The last period's calls, ticks, claims and bytes a row are those of the second."""
    stage = new_stage(database, "soak")
    pro = [{"field": "plan", "operator": "is", "value": "pro"}]
    gate = {"key": "gate", "condition": {"type": "event_fired", "value": "paid"}}
    later = {"key": "later", "email": {"subject": "Later", "body": "Later"}}
    again = {"exit_rules": ["segment_leave"], "reenroll_enabled": True}
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    stage.series("pros", **segment, audience_filters=pro, settings=again, steps=[later, gate])
    stage.series("welcome", steps=[gate, later])
    periods = [_Period() for _ in range(PERIODS)]
    began, number = monotonic(), 0
    while (passed := monotonic() - began) < SECONDS:
        _beat(stage, period := periods[int(passed / SECONDS * PERIODS)], number)
        number += 1
        if not period.bytes_per_row:
            period.bytes_per_row = _bytes_per_row(stage)
    second, last = periods[1], periods[-1]
    assert last.calls > second.calls / MOST_DRIFT
    for name in ("calling", "settling", "idle_claims"):
        before, after = _undisturbed(getattr(second, name)), _undisturbed(getattr(last, name))
        assert after <= before * MOST_DRIFT, f"{name}: {before:.4f} s, then {after:.4f} s"
    for table in _QUEUES:
        assert last.bytes_per_row[table] <= second.bytes_per_row[table] * MOST_BLOAT, table

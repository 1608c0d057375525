"""Minutes of a steady load: nothing grows and nothing slows down. `HALO_TEST_SOAK_SECONDS` says how
long: ten minutes unless it is set, three at least. The second minute is compared with the last.
"""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import quantiles
from time import monotonic, sleep
from typing import Any

import click
import pytest
from sqlalchemy import Engine, text

from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.journey.claim import claim_due
from halo_engine.opening import open_work
from halo_engine.work import OrgRef
from tests.pipeline.sandbox import Sandbox, new_sandbox

pytestmark = pytest.mark.torture

MINUTE = 60.0
MINUTES = int(os.environ.get("HALO_TEST_SOAK_SECONDS", "600")) // int(MINUTE)
USERS = 500
#: Identifies and events of one beat, and how long a beat is.
CALLS = 10
BEAT_SECONDS = 0.5
#: How much worse the last minute may be than the second.
MOST_DRIFT = 1.2
_QUEUES = ("signals", "automation_recipients", "automation_enrollments")
_LIMIT = 2_000


@dataclass
class _Minute:
    """What was measured in one minute; times are in seconds, sizes in bytes."""

    calls: int = 0
    seconds: float = 0.0
    calling: list[float] = field(default_factory=list)
    settling: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    claimed: int = 0
    control: list[float] = field(default_factory=list)
    sizes: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _QUEUES})
    dead: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _QUEUES})

    @property
    def measures(self) -> dict[str, float]:
        """Return what must not grow, each as one number.

        Times are the first decile, what it takes when the machine does nothing else, as multiples
        of what an empty transaction takes in the same minute: another load is no drift. Of a table
        it is the most of the minute, for each row that it holds.
        """
        empty = _undisturbed(self.control)
        return {
            "seconds a call, by the clock": self.seconds / self.calls,
            "a call": _undisturbed(self.calling) / empty,
            "a tick": _undisturbed(self.settling) / empty,
            "a claim": _undisturbed(self.claims) / empty,
            **{f"bytes a row, {name}": max(sizes) for name, sizes in self.sizes.items()},
            **{f"dead a row, {name}": max(dead) for name, dead in self.dead.items()},
        }


def _undisturbed(seconds: list[float]) -> float:
    return quantiles(seconds, n=10)[0]


def _timed(action: Any) -> float:
    began = monotonic()
    action()
    return monotonic() - began


def _call(sandbox: Sandbox, number: int) -> None:
    """Change a user's plan, so that it leaves and re-enters, or fire its event."""
    turn, place = divmod(number // 2, USERS)
    user = f"u{place}"
    if number % 2:
        called = TrackCall(user_id=user, event="paid")
        sandbox.perform(lambda work: track(work, called))
    else:
        # At any time half of them become pro, and half of them leave.
        traits = {"email": f"{user}@a.example", "plan": "pro" if (turn + place) % 2 else "free"}
        named = IdentifyCall(user_id=user, traits=traits)
        sandbox.perform(lambda work: identify(work, named))


def _claim(sandbox: Sandbox, minute: _Minute) -> None:
    """Claim what is due, and give it back: the tick that follows claims it again."""
    with sandbox.database.connect() as connection:
        work = open_work(connection, OrgRef(id=sandbox.org_id), sandbox.now)
        began = monotonic()
        rows = claim_due(connection, work.org_id, work.now, _LIMIT)
        minute.claims.append(monotonic() - began)
        minute.claimed += len(rows)
        connection.rollback()


def _look(sandbox: Sandbox, minute: _Minute) -> None:
    """Note how large the tables are for each row, and how many dead rows there are beside."""
    for table in _QUEUES:
        asked = text(
            f"SELECT pg_total_relation_size('{table}') AS size, n_dead_tup AS dead,"
            f" (SELECT count(*) FROM {table}) AS rows"
            f" FROM pg_stat_user_tables WHERE relname = '{table}'"
        )
        with sandbox.database.connect() as connection:
            found = connection.execute(asked).one()
        rows = max(found.rows, USERS)
        minute.sizes[table].append(found.size / rows)
        minute.dead[table].append(found.dead / rows)


def _beat(sandbox: Sandbox, minute: _Minute, number: int) -> None:
    began = monotonic()
    for call in range(CALLS):
        minute.calling.append(_timed(lambda n=number * CALLS + call: _call(sandbox, n)))
        minute.calls += 1
        minute.control.append(_timed(lambda: sandbox.perform(lambda work: work.org)))
    sandbox.now += timedelta(seconds=BEAT_SECONDS)
    _claim(sandbox, minute)
    minute.settling.append(_timed(sandbox.tick))
    if number % 4 == 0:
        _look(sandbox, minute)
    sleep(max(0.0, began + BEAT_SECONDS - monotonic()))  # the rate is what is steady here
    minute.seconds += monotonic() - began


def test_a_steady_load_neither_slows_down_nor_bloats(
    database: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rate, calls, ticks, claims and tables of the last minute are those of the second."""
    assert MINUTES >= 3, "HALO_TEST_SOAK_SECONDS is too small; allowed is 180 and more"
    sandbox = new_sandbox(database, "soak")
    pro = [{"field": "plan", "operator": "is", "value": "pro"}]
    gate = {"key": "gate", "condition": {"type": "event_fired", "value": "paid"}}
    later = {"key": "later", "delay": "30s", "email": {"subject": "Later", "body": "Later"}}
    again = {"exit_rules": ["segment_leave"], "reenroll_enabled": True}
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    sandbox.series("pros", **segment, audience_filters=pro, settings=again, steps=[later, gate])
    sandbox.series("welcome", steps=[gate, later])
    minutes = [_Minute() for _ in range(MINUTES)]
    began, number = monotonic(), 0
    while (passed := monotonic() - began) < MINUTES * MINUTE:
        _beat(sandbox, minutes[int(passed / MINUTE)], number)
        number += 1
    _show(minutes, capsys)
    second, last = minutes[1], minutes[-1]
    assert second.claimed > 0
    assert last.claimed > 0
    after = last.measures
    drift = {name: after[name] / before for name, before in second.measures.items()}
    assert {name: by for name, by in drift.items() if by > MOST_DRIFT} == {}


def _show(minutes: list[_Minute], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for number, minute in enumerate(minutes, start=1):
            measured = ", ".join(f"{name} {of:.4g}" for name, of in minute.measures.items())
            empty = f"an empty transaction {_undisturbed(minute.control) * 1e3:.2f} ms"
            done = f"{minute.calls} calls, {minute.claimed} claimed"
            click.echo(f"\nminute {number}: {done}, {empty}\n  {measured}")

"""Series far below their usual hour are found from what is kept, as a naive count finds them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select

from halo_engine.answers.operations.status import status
from halo_engine.answers.operations.usual_hours import below_usual
from halo_engine.series.lifecycle import pause, resume
from halo_engine.tables import automation_enrollments, automation_steps, messages
from tests.answers.sandbox import Sandbox

#: A Tuesday; in Berlin the clocks changed two weeks and two days before.
NOW = datetime(2026, 4, 14, 15, 20, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
SEEDS = 3
_numbers = count(1_000_000)


def _series(sandbox: Sandbox, zone: str, *keys: str) -> None:
    """Save series that have been active for long, with one contact."""
    sandbox.configure(timezone=zone)
    sandbox.work = replace(sandbox.work, now=NOW - timedelta(weeks=10))
    sandbox.add("ann")
    for key in keys:
        sandbox.series(key=key, entry_trigger="manual")
    sandbox.work = replace(sandbox.work, now=NOW)


def _happened(sandbox: Sandbox, key: str, activity: str, instants: Iterable[datetime]) -> None:
    """Keep that it happened to the contact at these instants."""
    work, series_id = sandbox.work, sandbox.saved(key).id
    steps = automation_steps.c
    step = select(func.min(steps.id.cast(messages.c.state.type))).where(
        steps.automation_id == series_id
    )
    step_id = work.connection.execute(step).scalar_one()
    rows = []
    for at in instants:
        number = next(_numbers)
        row = {"org_id": work.org_id, "automation_id": series_id, "end_user_id": sandbox.ids["ann"]}
        if activity == "entries":
            ended = {"ended_at": at, "exit_reason": "manual"}
            rows.append({**row, "number": number, "created_at": at, **ended})
            continue
        # What was opened was sent long ago.
        sent = at if activity == "sends" else NOW - timedelta(weeks=9)
        rows.append(
            {
                **row,
                "recipient_id": number,
                "enrollment_number": 1,
                "step_id": step_id,
                "state": "sent",
                "message_id": f"<{number}@usual>",
                "to_address": "ann@a.example",
                "intended_at": sent,
                "sent_at": sent,
                "opened_at": at if activity == "opens" else None,
            }
        )
    if rows:
        table = automation_enrollments if activity == "entries" else messages
        work.connection.execute(insert(table), rows)


def _naively(instants: Iterable[datetime], zone: ZoneInfo) -> bool:
    """Judge by the contract's words, an hour at a time."""
    local = [at.astimezone(zone).replace(tzinfo=None) for at in instants]
    whole = NOW.astimezone(zone).replace(tzinfo=None, minute=0)
    for hours in (1, 2):
        begins = [whole - hours * HOUR - weeks * WEEK for weeks in range(5)]
        now, *before = [sum(begin <= at < begin + HOUR for at in local) for begin in begins]
        weeks = [number for number in before if number >= 20]
        if len(weeks) < 3 or now > sorted(before)[1] / 4:
            return False
    return True


def _at_random(random: Random) -> list[datetime]:
    """Return instants in the hours that count and around them."""
    found = []
    for week in range(6):
        for hour in range(4):
            often = (
                random.choice((0, 4, 5, 6, 20, 24)) if week == 0 else random.choice((19, 20, 24))
            )
            begins = NOW.replace(minute=0) - hour * HOUR - week * WEEK
            edges = [begins] if random.random() < 0.5 else []
            found += edges + [
                begins + timedelta(seconds=random.randrange(3600)) for _ in range(often)
            ]
    return [at for at in found if at < NOW]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_as_a_naive_count(sandbox: Sandbox, seed: int, zone: str) -> None:
    """The hours equal a naive count, by the organisation's clock, of two series
    and each activity.
    """
    random = Random(f"{seed} {zone}")
    _series(sandbox, zone, "one", "two")
    expected = []
    for key in ("one", "two"):
        for activity in ("entries", "opens", "sends"):
            instants = _at_random(random)
            _happened(sandbox, key, activity, instants)
            if _naively(instants, ZoneInfo(zone)):
                expected.append((key, activity))
    work = sandbox.work
    for org_id in (work.org_id, None):
        found = below_usual(work.connection, NOW, org_id)
        assert [(each.series, str(each.activity)) for each in found] == expected


def _fell(sandbox: Sandbox, activity: str = "entries") -> None:
    """Let a series have thirty in each of these hours before, and none now."""
    _series(sandbox, "UTC", "welcome")
    hours = [NOW - hour * HOUR - week * WEEK for hour in (1, 2) for week in range(1, 5)]
    _happened(sandbox, "welcome", activity, [at for at in hours for _ in range(30)])


def test_the_status_says_it(sandbox: Sandbox) -> None:
    """Status shows the hour's number beside the usual one."""
    _fell(sandbox)
    found = status(sandbox.work)
    [below] = found.below_usual
    assert (below.series, below.activity) == ("welcome", "entries")
    assert (below.counts, below.usual) == ((0, 0), (30, 30))
    said = "series welcome: entries are far below their usual hour: 0 and 0, usually 30 and 30"
    assert said in found.needs


def test_a_series_that_was_paused_is_let_be(sandbox: Sandbox) -> None:
    """A series is not reported while it is paused, nor until it was active for all hours that
    count.
    """
    _fell(sandbox)
    pause(sandbox.work, "welcome", "test")
    assert below_usual(sandbox.work.connection, NOW) == []
    resume(sandbox.work, "welcome", "test")
    assert below_usual(sandbox.work.connection, NOW) == []


def test_mail_that_somebody_stopped_is_let_be(sandbox: Sandbox) -> None:
    """A series whose mail an operator stopped is not reported."""
    _fell(sandbox, "sends")
    assert len(below_usual(sandbox.work.connection, NOW)) == 1
    sandbox.configure(sending_stopped_at=NOW, sending_stopped_by="ann")
    assert below_usual(sandbox.work.connection, NOW) == []

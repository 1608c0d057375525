"""Operating a series while contacts enter it and move on (contract §4, §5, §8)."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from halo_engine.domain.errors import Refusal
from halo_engine.journey.removal import remove, stop_series
from halo_engine.series.lifecycle import find_series, pause, resume
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, LATER, Race, Round, telling
from tests.races.track import Track

BY = "operator"


def entered(each: Round) -> list[tuple[Any, ...]]:
    """Return who has ever been in the series, and which mails were begun."""
    runs = "SELECT id FROM automation_enrollments WHERE org_id = :org ORDER BY id"
    return each.read(runs) + each.messages


def test_nobody_enters_after_a_pause(track: Track) -> None:
    """After the pause has returned nobody enters, and no email is begun."""
    race = Race(track, users(*"abcd"), {"one": {**ENTERED, "steps": [EMAIL, LATER]}})
    race.place("one", "hi", "d")

    def paused(each: Round) -> list[tuple[Any, ...]]:
        each.perform(partial(pause, key="one", by=BY))
        return entered(each)

    for each, (then, *_) in race.rounds(paused, telling("abc")):
        assert entered(each) == then
    race.judge({})


def test_operators_who_disagree_leave_one_truth(track: Track) -> None:
    """Pauses and resumes at once are each done or refused, and their periods do not overlap."""
    race = Race(track, users(*"ab"), {"one": {**ENTERED, "steps": [LATER]}})

    def operated(each: Round) -> None:
        for change in (pause, resume):
            with suppress(Refusal):
                each.perform(partial(change, key="one", by=BY))

    race.play(operated, operated)
    race.judge(
        {
            "periods do not overlap": """
                SELECT p.org_id, p.started_at FROM automation_active_periods p
                JOIN automation_active_periods later
                ON later.org_id = p.org_id AND later.started_at > p.started_at
                WHERE COALESCE(p.ended_at > later.started_at, true)"""
        }
    )


def test_nobody_is_left_in_a_series_that_was_stopped(track: Track) -> None:
    """A series is stopped while contacts enter it and are mailed: all runs end, nobody enters."""
    race = Race(track, users(*"abcd"), {"one": {**ENTERED, "steps": [EMAIL, LATER]}})
    race.place("one", "hi", "c")
    race.place("one", "later", "d")

    def stopped(each: Round) -> None:
        stop_series(each.perform, "one", BY)

    race.play(stopped, telling("ab"))
    race.judge(
        {
            "it is completed, and nobody is in it": """
                SELECT a.org_id, a.status FROM automations a
                LEFT JOIN automation_enrollments e ON e.org_id = a.org_id AND e.ended_at IS NULL
                WHERE a.status <> 'completed' OR e.id IS NOT NULL"""
        }
    )


def test_a_manual_series_completes_with_its_last_two(track: Track) -> None:
    """The last two runs of a manual series end at once, in two transactions: it completes."""
    race = Race(track, users(*"ab"), {"once": {"entry_trigger": "manual", "steps": [LATER]}})
    race.first.settle()
    people = dict(race.first.read("SELECT external_id, id FROM end_users"))

    def removing(name: str) -> Callable[[Round], None]:
        return lambda each: each.perform(
            lambda work: remove(work, people[name], find_series(work, "once"))
        )

    race.play(removing("a"), removing("b"))
    race.judge(
        {
            "it is completed": "SELECT org_id, status FROM automations WHERE status <> 'completed'",
            "both were removed": """
                SELECT org_id, exit_reason FROM automation_enrollments
                WHERE exit_reason IS DISTINCT FROM 'manual'""",
        }
    )

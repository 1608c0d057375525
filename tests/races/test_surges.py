"""Entering a series whose surge is nearly full, by many workers at once (contract §19)."""

from collections.abc import Callable
from functools import partial
from typing import Final

from halo_engine.domain.times.surges import Pace
from halo_engine.enrollment.releasing import (
    discard_everybody,
    go_on_releasing,
    release_at,
    release_held,
)
from halo_engine.work import Work
from tests.races.ground import users
from tests.races.rounds import ENTERED, LATER, Race, Round, telling
from tests.races.track import Track

WORKERS: Final = 8
NAMES: Final = tuple(f"u{n:02}" for n in range(WORKERS * 2))
ROOM: Final = 5
SURGED: Final = {
    **ENTERED,
    "settings": {"entry_event_name": "in", "surge": {"at_most": ROOM, "within": "1h"}},
    "steps": [LATER],
}
#: Contacts that are not exactly once in the series or held by it.
LOST: Final = """
    SELECT c.org_id, format('%s is in %s places', c.external_id, count(p.end_user_id))
    FROM end_users c LEFT JOIN (
        SELECT org_id, end_user_id FROM automation_enrollments
        UNION ALL SELECT org_id, end_user_id FROM held_entries) p
    ON p.org_id = c.org_id AND p.end_user_id = c.id
    GROUP BY c.org_id, c.id, c.external_id HAVING count(p.end_user_id) <> 1"""
#: Organisations in which not exactly so many are in the table.
NOT_SO_MANY: Final = """
    SELECT o.id, format('%s are in it', count(t.end_user_id)) FROM organizations o
    LEFT JOIN {table} t ON t.org_id = o.id GROUP BY o.id HAVING count(t.end_user_id) <> {number}"""
#: Organisations in which more counted than may.
OVER: Final = f"""
    SELECT org_id, format('%s counted', sum(entries)) FROM surge_entries
    GROUP BY org_id HAVING sum(entries) > {ROOM}"""


def _all_released(each: Round) -> int:
    entered = 0
    goes_on = True
    while goes_on:
        released = each.perform(lambda work: release_held(work, "s", 3))
        entered += sum(came.count for came in released.admissions if came.code is None)
        goes_on = released.unfinished
    return entered


def test_a_full_span_takes_nobody_more(track: Track) -> None:
    """Eight workers bring two contacts each to a span of five: five enter, the others are held."""
    race = Race(track, users(*NAMES), {"s": SURGED})
    race.play(*[telling(NAMES[n::WORKERS]) for n in range(WORKERS)])
    race.judge(
        {
            "nobody is lost": LOST,
            "never one over, never one short": NOT_SO_MANY.format(
                table="automation_enrollments", number=ROOM
            ),
            "the others are held": NOT_SO_MANY.format(
                table="held_entries", number=len(NAMES) - ROOM
            ),
        }
    )


def test_a_release_among_entries_loses_nobody(track: Track) -> None:
    """While contacts come, somebody releases whoever is held: each is in or held, and no more have
    counted than may.
    """
    race = Race(track, users(*NAMES), {"s": SURGED})
    halves = [telling(NAMES[n::4]) for n in range(4)]
    race.play(*halves, _all_released, _all_released)
    race.judge({"nobody is lost": LOST, "no span is too full": OVER})


def test_a_release_at_a_pace_lets_in_no_more_than_may(track: Track) -> None:
    """Four workers go on with a release that two people order, while contacts come: no span holds
    one more than the pace says, and nobody is lost.
    """
    race = Race(track, users(*NAMES), {"s": SURGED})
    race.first.tell(NAMES[:12])
    pace = Pace.model_validate({"at_most": 3, "within": "1h"})
    going_on = [_going_on] * 4
    order = partial(release_at, key="s", pace=pace)
    later = telling(NAMES[12:])
    for each, _ in race.rounds(
        *going_on, partial(_perform, order), partial(_perform, order), later
    ):
        [[let_in]] = each.read("SELECT sum(entries) FROM released_entries WHERE org_id = :org")
        [[entered]] = each.read("SELECT count(*) FROM automation_enrollments WHERE org_id = :org")
        assert (let_in, entered) == (3, ROOM + 3)
    race.judge({"nobody is lost": LOST, "no span is too full": OVER})


def _perform(action: Callable[[Work], object], each: Round) -> object:
    return each.perform(action)


def _going_on(each: Round) -> None:
    for _ in range(3):
        each.perform(lambda work: go_on_releasing(work, {}))


def test_who_is_discarded_does_not_enter(track: Track) -> None:
    """A release and a discard at once: whoever is held enters or is discarded, once."""
    race = Race(track, users(*NAMES), {"s": SURGED})
    race.first.tell(NAMES)
    discard = partial(discard_everybody, key="s")

    def discarded(each: Round) -> int:
        return each.perform(discard)

    for each, (released, gone) in race.rounds(_all_released, discarded):
        [[entered]] = each.read("SELECT count(*) FROM automation_enrollments WHERE org_id = :org")
        assert (entered, released + gone) == (ROOM + released, len(NAMES) - ROOM)

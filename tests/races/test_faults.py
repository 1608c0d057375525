"""Several workers at once, and one contact that always fails: it alone fails, and no other is
handled twice (contract §1, §5).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from halo_engine.answers.operations.parked import Sort, WhichParked
from halo_engine.pipeline.parked import retry_parked
from tests.pipeline.faults import ROWS, RUNS, refusing
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, LATER, Race, Round, telling
from tests.races.track import Track

NAMES = ("ann", "ben", "bad", "dan")
AGAIN = {**ENTERED, "settings": {"entry_event_name": "in", "reenroll_enabled": True}}
IS_BAD = "NEW.end_user_id IN (SELECT id FROM end_users WHERE external_id = 'bad')"

#: Contacts that have not exactly one run, and those that have not exactly one mail.
RUNS_OF_EACH = """
    SELECT c.org_id, format('%s has %s', c.external_id, count(e.id)) FROM end_users c
    LEFT JOIN automation_enrollments e ON e.org_id = c.org_id AND e.end_user_id = c.id
    GROUP BY c.org_id, c.id, c.external_id HAVING count(e.id) <> 1"""
MAILS_OF_EACH = """
    SELECT c.org_id, format('%s has %s', c.external_id, count(m.recipient_id)) FROM end_users c
    LEFT JOIN messages m ON m.org_id = c.org_id AND m.end_user_id = c.id
    GROUP BY c.org_id, c.id, c.external_id HAVING count(m.recipient_id) <> 1"""
ALL = WhichParked(all=True)


def _play(
    race: Race, sort: Sort, table: str, condition: str, when: str, *racers: Callable[[Round], Any]
) -> None:
    """Play every round with the fault; then mend the cause and retry what is parked."""
    with refusing(race.first.track.database, table, condition, when):
        played = [each for each, _ in race.rounds(*racers)]
    retried = []
    for each in played:
        answer = each.perform(partial(retry_parked, sort=sort, which=ALL))
        retried.append(answer.retried)
        each.settle()
    assert set(retried) == {1}


def test_a_poisonous_signal_costs_nobody_a_run(track: Track) -> None:
    """An event is tracked twice while workers isolate the failing signal: each contact has one run,
    the poisonous one after a retry.
    """
    race = Race(track, users(*NAMES), {"again": {**AGAIN, "steps": [LATER]}})
    _play(race, Sort.SIGNALS, RUNS, IS_BAD, "INSERT", telling(NAMES), telling(NAMES), Round.tick)
    race.judge({"an event is one run": RUNS_OF_EACH})


def test_a_poisonous_row_costs_nobody_a_mail(track: Track) -> None:
    """Emails fall due while workers isolate the failing row: each is sent once."""
    race = Race(track, users(*NAMES), {"news": {**ENTERED, "steps": [EMAIL]}})
    race.place("news", "hi", *NAMES)
    leased = f"NEW.lease_token IS NOT NULL AND {IS_BAD}"
    _play(race, Sort.ROWS, ROWS, leased, "UPDATE", Round.settle, Round.settle, Round.tick)
    race.judge({"a mail is sent once": MAILS_OF_EACH})

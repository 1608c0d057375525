"""Contacts that become one, and contacts that go, while series take them in (contract §2, §4)."""

from functools import partial

from sqlalchemy import text

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.identifying.leads import CaptureLeadCall, capture_lead
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, LATER, Race, Round, telling
from tests.races.track import Track

PEOPLE = ("ann", "ben")


def test_a_lead_who_becomes_a_user_enters_once(track: Track) -> None:
    """A lead form and an identify with the same email end as one user, with one run in each
    series.
    """
    created = {"entry_trigger": "user_created", "steps": [LATER]}
    series = {"all": created, "users": {**created, "contact_type": "user"}}
    race = Race(track, {}, series)

    def left(each: Round) -> None:
        for name in PEOPLE:
            call = CaptureLeadCall(email=f"{name}@A.example")
            each.perform(partial(capture_lead, call=call))
        each.settle()

    def identified(each: Round) -> None:
        for name in PEOPLE:
            each.identify(name, email=f"{name}@a.example")
        each.settle()

    race.play(left, identified)
    race.judge(
        {
            "an address is one user": """
                SELECT org_id, format('%s is %s', address, count(*)) FROM end_users
                GROUP BY org_id, address HAVING count(*) <> 1 OR bool_or(external_id IS NULL)""",
            "a user has one run in each series": """
                SELECT c.org_id, format('%s has %s', c.external_id, count(e.id)) FROM end_users c
                LEFT JOIN automation_enrollments e
                ON e.org_id = c.org_id AND e.end_user_id = c.id AND e.number = 1
                GROUP BY c.org_id, c.id, c.external_id HAVING count(e.id) <> 2""",
        }
    )


def test_nothing_is_left_of_whoever_is_erased(track: Track) -> None:
    """Contacts are erased while they enter, are advanced and mailed: no row of theirs is left."""
    race = Race(track, users(*PEOPLE), {"one": {**ENTERED, "steps": [EMAIL, LATER]}})
    race.place("one", "hi", *PEOPLE[:1])

    def erased(each: Round) -> None:
        for name in PEOPLE:
            each.perform(partial(erase_contact, call=EraseContactCall(contact=name)))

    race.play(erased, telling(PEOPLE))
    with track.database.connect() as connection:
        tables = connection.scalars(
            text(
                "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND column_name = 'end_user_id'"
            )
        ).all()
    assert len(tables) > 8
    theirs = "SELECT org_id, end_user_id FROM {} WHERE end_user_id IS NOT NULL"
    race.judge(
        {f"nothing in {name}": theirs.format(name) for name in tables}
        | {"nobody is there": "SELECT org_id, external_id FROM end_users"}
    )

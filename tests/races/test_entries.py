"""Entering a series while others enter, settle and operate it (contract §1, §2, §4)."""

import pytest

from halo_engine.pipeline import wide
from halo_engine.series.lifecycle import activate
from tests.races.ground import users
from tests.races.rounds import ENTERED, LATER, OPEN, PRO, SHUT, Race, Round, telling
from tests.races.track import Track

NAMES = ("ann", "ben", "cyd", "dan")
SEGMENT = {
    "entry_trigger": "segment_match",
    "audience_type": "segment",
    "audience_filters": [[PRO], [{"field": "event:in", "operator": "gte", "value": 1}]],
    "steps": [LATER],
}
AGAIN = {**ENTERED, "settings": {"entry_event_name": "in", "reenroll_enabled": True}}
ONE = {
    **ENTERED,
    "settings": {"entry_event_name": "in", "one_per_company": True},
    "steps": [OPEN, LATER],
}

#: Contacts whose number of runs is not the one appended to the query.
RUNS = """
    SELECT c.org_id, format('%s has %s', c.external_id, count(e.id)) FROM end_users c
    LEFT JOIN automation_enrollments e ON e.org_id = c.org_id AND e.end_user_id = c.id
    GROUP BY c.org_id, c.id, c.external_id HAVING count(e.id) <> """
#: Companies in which not exactly one contact has an active run.
COMPANIES = """
    SELECT c.org_id, format('%s has %s', c.company_id, count(e.id)) FROM end_users c
    LEFT JOIN automation_enrollments e ON e.org_id = c.org_id AND e.end_user_id = c.id
    AND e.ended_at IS NULL GROUP BY c.org_id, c.company_id HAVING count(e.id) <> 1"""

#: Organisations in which not exactly one contact has an active run.
ADDRESSES = """
    SELECT c.org_id, format('%s have runs', count(e.id)) FROM end_users c
    LEFT JOIN automation_enrollments e ON e.org_id = c.org_id AND e.end_user_id = c.id
    AND e.ended_at IS NULL GROUP BY c.org_id HAVING count(e.id) <> 1"""


def test_a_signal_enrolls_once(track: Track) -> None:
    """An event tracked twice, settled by three workers, begins one run, although the run ends at
    once and the series allows another.
    """
    race = Race(track, users(*NAMES), {"again": {**AGAIN, "steps": [SHUT]}})
    race.play(telling(NAMES), telling(NAMES), Round.tick)
    race.judge({"an event is one run": f"{RUNS} 1"})


def test_two_triggers_begin_one_run_anew(track: Track) -> None:
    """Contacts whose run ended enter again once, as number 2, and their old rows are gone."""
    race = Race(track, users(*NAMES), {"again": {**AGAIN, "steps": [LATER]}})
    race.place("again", "later", *NAMES, ended=True)
    race.play(telling(NAMES, key="one"), telling(NAMES[::-1], key="other"))
    race.judge({"there are two runs": f"{RUNS} 2"})


def test_nobody_falls_between_identify_and_activation(
    track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contact that begins to match while the series is activated page by page is enrolled."""
    monkeypatch.setattr(wide, "PAGE", 2)
    people = {**users("old", "late", plan="pro"), **users("mid", plan="free")}
    race = Race(track, people, {"pro": {**SEGMENT, "active": False}})

    def activated(each: Round) -> None:
        each.perform(lambda work: activate(work, "pro", "operator"))
        each.settle()

    def identified(each: Round) -> None:
        for name in ("mid", "new"):
            each.identify(name, plan="pro", email=f"{name}@a.example")
        each.settle()

    race.play(activated, identified)
    race.judge({"who matches is enrolled": f"{RUNS} 1"})


def test_a_company_has_one_run_whoever_comes_first(track: Track) -> None:
    """Of colleagues who come by identify, event, activation and re-evaluation at once, exactly one
    enters.
    """
    people = {
        "told": {"company": "A", "plan": "free"},
        "paid": {"company": "A", "plan": "free"},
        "there": {"company": "A", "plan": "pro"},
    }
    only_one = {**SEGMENT, "settings": {"one_per_company": True}, "active": False}
    race = Race(track, people, {"one": only_one})

    def activated(each: Round) -> None:
        each.perform(lambda work: activate(work, "one", "operator"))
        each.tick()

    def identified(each: Round) -> None:
        each.identify("told", plan="pro")
        each.settle()

    race.play(activated, identified, telling(["paid"]))
    race.judge({"a company has one run": COMPANIES})


def test_an_address_has_one_run_whoever_comes_first(track: Track) -> None:
    """Of contacts with one address who come by identify, event, activation and re-evaluation at
    once, settled by eight workers, exactly one enters, also where seats count.
    """
    address = {"email": "Shared@a.example"}
    people = {
        "told": {"plan": "free", **address},
        "paid": {"plan": "free", "company": "A", **address},
        "there": {"plan": "pro", "company": "A", **address},
    }
    settings = {"one_per_address": True, "one_per_company": True}
    race = Race(track, people, {"one": {**SEGMENT, "settings": settings, "active": False}})

    def activated(each: Round) -> None:
        each.perform(lambda work: activate(work, "one", "operator"))
        each.tick()

    def identified(each: Round) -> None:
        each.identify("told", plan="pro")
        each.settle()

    workers = [Round.settle, Round.tick] * 2
    race.play(
        activated, identified, telling(["paid"]), telling(["paid", "told"], key="two"), *workers
    )
    race.judge({"an address has one run": ADDRESSES})


def test_nobody_falls_between_an_event_and_its_data(track: Track) -> None:
    """Contacts whose plan comes beside the event, settled by eight workers, enter once: the event
    finds the plan, or they wait for it.
    """
    patient = {
        **ENTERED,
        "audience_type": "segment",
        "audience_filters": [PRO],
        "settings": {"entry_event_name": "in", "entry_patience": "1h", "reenroll_enabled": True},
        "steps": [LATER],
    }
    race = Race(track, users(*NAMES, plan="free"), {"patient": patient})

    def identified(each: Round) -> None:
        for name in NAMES:
            each.identify(name, plan="pro")
        each.settle()

    race.play(identified, telling(NAMES), telling(NAMES[::-1]), *[Round.settle, Round.tick] * 2)
    race.judge({"who got the plan is in it once": f"{RUNS} 1"})


def test_seats_are_right_after_the_rule_was_switched(track: Track) -> None:
    """One per company is switched off and on while colleagues enter: each
    company has one run then.
    """
    people = {f"{company}{number}": {"company": company} for company in "AB" for number in (1, 2)}
    race = Race(track, people, {"one": {**ONE, "steps": [LATER]}})

    def switched(each: Round) -> None:
        for only_one in (False, True):
            settings = {"entry_event_name": "in", "one_per_company": only_one}
            each.save("one", {**ONE, "settings": settings, "steps": [LATER]})

    race.play(switched, telling(people))
    race.judge({"a company has one run": COMPANIES})


def test_seats_follow_those_who_change_places(track: Track) -> None:
    """Two contacts swap companies again and again while their rows are due: runs and seats stay
    right, without a deadlock.
    """
    people = {name: {"company": name, "plan": "pro"} for name in "AB"}
    race = Race(track, people, {"one": ONE})
    race.place("one", "open", *"BA")

    def there(each: Round) -> None:
        each.move("A", "B")

    def back(each: Round) -> None:
        each.move("B", "A")
        each.settle()

    race.play(there, back, Round.settle)
    race.judge(
        {
            "nobody enters anew": f"{RUNS} 1",
            "the first of two stays": """
                SELECT e.org_id, c.external_id FROM automation_enrollments e
                JOIN end_users c ON c.org_id = e.org_id AND c.id = e.end_user_id
                WHERE c.external_id = 'B' AND e.ended_at IS NOT NULL""",
            "who leaves, leaves for want of a seat": """
                SELECT org_id, exit_reason FROM automation_enrollments
                WHERE exit_reason <> 'company_already_enrolled'""",
        }
    )

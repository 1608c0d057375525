"""A poisonous signal, row, contact or series stops no other; a general error counts against none of
them (contract §1, §2, §5).
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, insert, text, update
from sqlalchemy.exc import ProgrammingError

from halo_engine.answers.status import status
from halo_engine.contacts.companies import IdentifyCompanyCall, identify_company
from halo_engine.engine import Engine as HaloEngine
from halo_engine.journey.parking import LEAST_TIME, TRIES
from halo_engine.pipeline import wide
from halo_engine.pipeline.agenda import organizations_with_work
from halo_engine.pipeline.isolate import PROBES
from halo_engine.pipeline.wake import wake
from halo_engine.tables import (
    automation_enrollments,
    companies,
    organizations,
    signals,
)
from tests.pipeline.faults import (
    LATER,
    MINUTE,
    NO_RUN,
    RUNS,
    enrolled,
    id_of,
    kept_for,
    parked,
    refusing,
)
from tests.pipeline.stage import Stage, new_stage
from tests.pipeline.test_passes import PRO, start_pass

# Signals


def test_a_poisonous_signal_stands_alone(stage: Stage) -> None:
    """All others of its batch are handled in the same turn; it is parked, and retried later."""
    stage.series("welcome")
    contacts = stage.contacts(f"u{number}" for number in range(60))
    stage.signal(contacts)
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{contacts[17]}'"):
        stage.settle()
    assert enrolled(stage) == 59
    assert parked(stage) == [(contacts[17], 1, True, NO_RUN)]
    stage.wake(MINUTE)
    assert enrolled(stage) == 60
    assert stage.count(signals) == 0


def test_it_is_set_aside_after_five_tries_over_five_minutes(stage: Stage) -> None:
    """Until then it is retried at every tick and delays nobody; from then on only a person can
    retry it.
    """
    stage.series("welcome")
    [bad] = stage.contacts(["bad"])
    stage.signal([bad])
    waited = []
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for minute in range(9):
            stage.signal(stage.contacts([f"u{minute}"]))
            stage.wake(MINUTE)
            assert enrolled(stage) == minute + 1
            [(_, tries, waits, _)] = parked(stage)
            waited.append((tries, waits))
    assert (5, timedelta(minutes=5)) == (TRIES, LEAST_TIME)
    # The sixth comes five minutes after the first.
    assert waited == [(n, True) for n in range(1, 6)] + [(6, False)] * 4


def test_what_fails_for_all_is_nobodys_fault(stage: Stage) -> None:
    """However long that lasts, no try counts and each try touches only a few signals; all are
    handled when it is over.
    """
    stage.series("welcome")
    stage.signal(stage.contacts(f"u{number}" for number in range(200)))
    with refusing(stage.database, RUNS, "true"):
        for _ in range(10):
            stage.wake(MINUTE)
    assert len(parked(stage)) <= 10 * PROBES
    assert {(tries, waits) for _, tries, waits, _ in parked(stage)} == {(0, True)}
    stage.wake(MINUTE)
    assert enrolled(stage) == 200
    assert stage.count(signals) == 0


def test_a_schema_of_another_version_is_nobodys_fault(stage: Stage) -> None:
    """Code that starts before ``halo migrate``: every task fails, and no failure is noted for a
    signal.
    """
    stage.series("welcome")
    stage.signal(stage.contacts(f"u{number}" for number in range(20)))
    with stage.database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {RUNS} RENAME goal_held TO goal_holds"))
    try:
        for _ in range(3):
            with pytest.raises(ProgrammingError):
                stage.settle()
    finally:
        with stage.database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {RUNS} RENAME goal_holds TO goal_held"))
    assert stage.count(signals, signals.c.failed_at.is_not(None)) == 0
    stage.settle()
    assert enrolled(stage) == 20


def test_a_signal_that_is_alone_is_judged_by_others_before_it(stage: Stage) -> None:
    """Its failure counts once another signal has succeeded in the same process, and counts once for
    that success.
    """
    stage.series("welcome")
    engine = stage.engine
    bad, good = stage.contacts(["bad", "good"])
    counted = []
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for comes in (bad, None, good, None, None):
            stage.signal([comes] if comes else [])
            settle_again(stage, engine)
            [(contact, tries, _, _)] = parked(stage)
            counted.append((contact, tries))
    assert counted == [(bad, 0), (bad, 0), (bad, 1), (bad, 2), (bad, 2)]


def test_one_that_fails_again_and_again_holds_up_nobody(stage: Stage) -> None:
    """Even if nothing else happened meanwhile, the next contact is handled at once."""
    stage.series("welcome")
    engine = stage.engine
    bad, good = stage.contacts(["bad", "good"])
    stage.signal([bad])
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for _ in range(2 * PROBES):
            settle_again(stage, engine)
        stage.signal([good])
        for _ in engine.settle(stage.org_id):
            pass
        assert enrolled(stage) == 1


def test_what_is_tried_for_ever_needs_a_person(stage: Stage) -> None:
    """The only signal there is fails: it is never set aside, so after five minutes ``halo status``
    says that it fails again and again.
    """
    stage.series("welcome")
    stage.signal(stage.contacts(["bad"]))
    needs = []
    with refusing(stage.database, RUNS, "true"):
        for _ in range(10):
            stage.wake(MINUTE)
            needs.append(stage.perform(lambda work: status(work).needs))
    assert needs[:5] == [()] * 5
    assert needs[6:] == [("signals or rows fail again and again, longer than 5m: 1",)] * 4


def settle_again(stage: Stage, engine: HaloEngine) -> None:
    """Let a minute pass, and settle with the same engine, which remembers."""
    stage.now += MINUTE
    stage.perform(wake)
    for _ in engine.settle(stage.org_id):
        pass


# A series


def test_a_poisonous_series_stands_aside(stage: Stage) -> None:
    """Signals are handled for all other series at once, and kept for the one that fails; when its
    fault is mended, everybody enters it.
    """
    for key in ("one", "bad", "two"):
        stage.series(key)
    bad = id_of(stage, "bad")
    stage.signal(stage.contacts(f"u{number}" for number in range(30)))
    with refusing(stage.database, RUNS, f"NEW.automation_id = '{bad}'"):
        stage.settle()
        stage.signal(stage.contacts(["later"]))
        stage.wake(MINUTE)
    assert enrolled(stage) == 62
    assert enrolled(stage, automation_enrollments.c.automation_id == bad) == 0
    assert set(kept_for(stage)) == {bad}
    stage.wake(MINUTE)
    assert enrolled(stage, automation_enrollments.c.automation_id == bad) == 31
    assert enrolled(stage) == 93
    assert stage.count(signals) == 0


def test_who_is_poison_to_one_series_enters_the_others(stage: Stage) -> None:
    """A contact that one series cannot take waits for that series only; other contacts enter all
    series.
    """
    for key in ("one", "bad", "two"):
        stage.series(key)
    bad = id_of(stage, "bad")
    [ann, ben] = stage.contacts(["ann", "ben"])
    stage.signal([ann, ben])
    poison = f"NEW.automation_id = '{bad}' AND NEW.end_user_id = '{ann}'"
    with refusing(stage.database, RUNS, poison):
        stage.settle()
        stage.wake(MINUTE)
        assert enrolled(stage, automation_enrollments.c.end_user_id == ann) == 2
        assert enrolled(stage, automation_enrollments.c.end_user_id == ben) == 3
        assert kept_for(stage) == [bad]


# What is wide


@pytest.mark.parametrize("kind", ["activation", "pass"])
def test_a_poisonous_contact_is_passed_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """An activation or a pass moves past it; a copy waits for the contact, which enters when the
    fault is mended. The copy is tried once each time: there is nothing to halve.
    """
    monkeypatch.setattr(wide, "PAGE", 64)
    contacts = stage.contacts((f"u{n:02}" for n in range(100)), custom_fields={"plan": "pro"})
    bad = contacts[41]
    if kind == "pass":
        stage.perform(
            lambda work: work.connection.execute(
                text("UPDATE end_users SET custom_fields = '{}' WHERE org_id = :org"),
                {"org": work.org_id},
            )
        )
        stage.series("pro", **PRO)
        stage.settle()
        stage.perform(
            lambda work: work.connection.execute(
                text("UPDATE end_users SET custom_fields = :pro WHERE org_id = :org"),
                {"org": work.org_id, "pro": '{"plan": "pro"}'},
            )
        )
        start_pass(stage)
    else:
        stage.series("all", entry_trigger="manual", **LATER)
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        stage.settle()
        assert enrolled(stage) == 99
        [(_, tries, waits, error)] = parked(stage)
        assert (tries, waits, error) == (1, True, NO_RUN)
        stage.wake(MINUTE)
        assert [each.tries for each in parked(stage)] == [1]
        assert stage.count(signals, signals.c.attempts > 0) == 0
    stage.wake(MINUTE)
    assert enrolled(stage) == 100
    assert stage.count(signals) == 0


def test_a_pass_goes_on_without_a_poisonous_series(stage: Stage) -> None:
    """The series gets a pass of its own, which is worked when its fault is mended."""
    for key in ("one", "bad", "two"):
        stage.series(key, **PRO)
    stage.settle()
    stage.contacts((f"u{n:02}" for n in range(20)), custom_fields={"plan": "pro"})
    bad = id_of(stage, "bad")
    start_pass(stage)
    with refusing(stage.database, RUNS, f"NEW.automation_id = '{bad}'"):
        stage.settle()
        assert enrolled(stage) == 40
        assert kept_for(stage) == [bad]
    stage.wake(MINUTE)
    assert enrolled(stage) == 60
    assert stage.count(signals) == 0


def test_a_companys_change_goes_on_behind_a_poisonous_contact(stage: Stage) -> None:
    """All other contacts of the company leave at once; this one leaves when the fault is mended."""
    company = {"org_id": stage.org_id, "external_id": "acme"}
    instants = dict.fromkeys(("created_at", "updated_at"), stage.now)
    made = insert(companies).values(**company, **instants).returning(companies.c.id)
    company_id = stage.perform(lambda work: work.connection.scalar(made))
    contacts = stage.contacts((f"u{number}" for number in range(6)), company_id=company_id)
    gone = [[{"field": "company.name", "operator": "is", "value": "Gone"}]]
    rules = {"exit_rules": ["filter_match"], "exit_filters": gone}
    stage.series("all", entry_trigger="manual", settings=rules, **LATER)
    stage.settle()
    call = IdentifyCompanyCall(id="acme", traits={"name": "Gone"})
    stage.perform(lambda work: identify_company(work, call))
    active = automation_enrollments.c.ended_at.is_(None)
    with refusing(stage.database, RUNS, f"NEW.end_user_id = '{contacts[2]}'", "UPDATE"):
        stage.settle()
        assert enrolled(stage, active) == 1
    stage.wake(MINUTE)
    assert enrolled(stage, active) == 0
    assert stage.count(signals) == 0


# An organisation


def test_an_organisation_that_cannot_be_read_holds_up_no_other(
    stage: Stage, shared_database: Engine
) -> None:
    """The installation's tick still rings for all the others."""
    bad = new_stage(shared_database, f"bad-{uuid4()}")
    asked = {each.org_id for each in (stage, bad)}
    for each in (stage, bad):
        each.series("pro", **PRO)
    with shared_database.begin() as connection:
        connection.execute(
            update(organizations)
            .where(organizations.c.key == bad.org.key)
            .values(timezone="Nowhere/Land")
        )
        ringing = organizations_with_work(connection)
    assert asked <= set(ringing)

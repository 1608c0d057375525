"""A poisonous signal, row, contact or series stops no other; a general error counts against none of
them (contract §1, §2, §5).
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, insert, text, update
from sqlalchemy.exc import ProgrammingError

from halo_engine.answers.operations.status import status
from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
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
from tests.pipeline.sandbox import Sandbox, new_sandbox
from tests.pipeline.test_passes import PRO, start_pass

# Signals


def test_a_poisonous_signal_stands_alone(sandbox: Sandbox) -> None:
    """All others of its batch are handled in the same turn; it is parked, and retried later."""
    sandbox.series("welcome")
    contacts = sandbox.contacts(f"u{number}" for number in range(60))
    sandbox.signal(contacts)
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{contacts[17]}'"):
        sandbox.settle()
    assert enrolled(sandbox) == 59
    assert parked(sandbox) == [(contacts[17], 1, True, NO_RUN)]
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 60
    assert sandbox.count(signals) == 0


def test_it_is_set_aside_after_five_tries_over_five_minutes(sandbox: Sandbox) -> None:
    """Until then it is retried at every tick and delays nobody; from then on only a person can
    retry it.
    """
    sandbox.series("welcome")
    [bad] = sandbox.contacts(["bad"])
    sandbox.signal([bad])
    waited = []
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for minute in range(9):
            sandbox.signal(sandbox.contacts([f"u{minute}"]))
            sandbox.wake(MINUTE)
            assert enrolled(sandbox) == minute + 1
            [(_, tries, waits, _)] = parked(sandbox)
            waited.append((tries, waits))
    assert (5, timedelta(minutes=5)) == (TRIES, LEAST_TIME)
    # The sixth comes five minutes after the first.
    assert waited == [(n, True) for n in range(1, 6)] + [(6, False)] * 4


def test_what_fails_for_all_is_nobodys_fault(sandbox: Sandbox) -> None:
    """However long that lasts, no try counts and each try touches only a few signals; all are
    handled when it is over.
    """
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(200)))
    with refusing(sandbox.database, RUNS, "true"):
        for _ in range(10):
            sandbox.wake(MINUTE)
    assert len(parked(sandbox)) <= 10 * PROBES
    assert {(tries, waits) for _, tries, waits, _ in parked(sandbox)} == {(0, True)}
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 200
    assert sandbox.count(signals) == 0


def test_a_schema_of_another_version_is_nobodys_fault(sandbox: Sandbox) -> None:
    """Code that starts before ``halo migrate``: every task fails, and no failure is noted for a
    signal.
    """
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(20)))
    with sandbox.database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {RUNS} RENAME goal_held TO goal_holds"))
    try:
        for _ in range(3):
            with pytest.raises(ProgrammingError):
                sandbox.settle()
    finally:
        with sandbox.database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {RUNS} RENAME goal_holds TO goal_held"))
    assert sandbox.count(signals, signals.c.failed_at.is_not(None)) == 0
    sandbox.settle()
    assert enrolled(sandbox) == 20


def test_a_signal_that_is_alone_is_judged_by_others_before_it(sandbox: Sandbox) -> None:
    """Its failure counts once another signal has succeeded in the same process, and counts once for
    that success.
    """
    sandbox.series("welcome")
    engine = sandbox.engine
    bad, good = sandbox.contacts(["bad", "good"])
    counted = []
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for comes in (bad, None, good, None, None):
            sandbox.signal([comes] if comes else [])
            settle_again(sandbox, engine)
            [(contact, tries, _, _)] = parked(sandbox)
            counted.append((contact, tries))
    assert counted == [(bad, 0), (bad, 0), (bad, 1), (bad, 2), (bad, 2)]


def test_one_that_fails_again_and_again_holds_up_nobody(sandbox: Sandbox) -> None:
    """Even if nothing else happened meanwhile, the next contact is handled at once."""
    sandbox.series("welcome")
    engine = sandbox.engine
    bad, good = sandbox.contacts(["bad", "good"])
    sandbox.signal([bad])
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        for _ in range(2 * PROBES):
            settle_again(sandbox, engine)
        sandbox.signal([good])
        for _ in engine.settle(sandbox.org_id):
            pass
        assert enrolled(sandbox) == 1


def test_what_is_tried_for_ever_needs_a_person(sandbox: Sandbox) -> None:
    """The only signal there is fails: it is never set aside, so after five minutes ``halo status``
    says that it fails again and again.
    """
    sandbox.series("welcome")
    sandbox.signal(sandbox.contacts(["bad"]))
    needs = []
    with refusing(sandbox.database, RUNS, "true"):
        for _ in range(10):
            sandbox.wake(MINUTE)
            needs.append(sandbox.perform(lambda work: status(work).needs))
    assert needs[:5] == [()] * 5
    assert needs[6:] == [("signals or rows fail again and again, longer than 5m: 1",)] * 4


def settle_again(sandbox: Sandbox, engine: HaloEngine) -> None:
    """Let a minute pass, and settle with the same engine, which remembers."""
    sandbox.now += MINUTE
    sandbox.perform(wake)
    for _ in engine.settle(sandbox.org_id):
        pass


# A series


def test_a_poisonous_series_stands_aside(sandbox: Sandbox) -> None:
    """Signals are handled for all other series at once, and kept for the one that fails; when its
    fault is mended, everybody enters it.
    """
    for key in ("one", "bad", "two"):
        sandbox.series(key)
    bad = id_of(sandbox, "bad")
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(30)))
    with refusing(sandbox.database, RUNS, f"NEW.automation_id = '{bad}'"):
        sandbox.settle()
        sandbox.signal(sandbox.contacts(["later"]))
        sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 62
    assert enrolled(sandbox, automation_enrollments.c.automation_id == bad) == 0
    assert set(kept_for(sandbox)) == {bad}
    sandbox.wake(MINUTE)
    assert enrolled(sandbox, automation_enrollments.c.automation_id == bad) == 31
    assert enrolled(sandbox) == 93
    assert sandbox.count(signals) == 0


def test_a_contact_that_one_series_cannot_take_enters_the_others(sandbox: Sandbox) -> None:
    """A contact that one series cannot take waits for that series only; other contacts enter all
    series.
    """
    for key in ("one", "bad", "two"):
        sandbox.series(key)
    bad = id_of(sandbox, "bad")
    [ann, ben] = sandbox.contacts(["ann", "ben"])
    sandbox.signal([ann, ben])
    poison = f"NEW.automation_id = '{bad}' AND NEW.end_user_id = '{ann}'"
    with refusing(sandbox.database, RUNS, poison):
        sandbox.settle()
        sandbox.wake(MINUTE)
        assert enrolled(sandbox, automation_enrollments.c.end_user_id == ann) == 2
        assert enrolled(sandbox, automation_enrollments.c.end_user_id == ben) == 3
        assert kept_for(sandbox) == [bad]


# What is wide


@pytest.mark.parametrize("kind", ["activation", "pass"])
def test_a_poisonous_contact_is_passed_over(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """An activation or a pass moves past it; a copy waits for the contact, which enters when the
    fault is mended. The copy is tried once each time: there is nothing to halve.
    """
    monkeypatch.setattr(wide, "PAGE", 64)
    contacts = sandbox.contacts((f"u{n:02}" for n in range(100)), custom_fields={"plan": "pro"})
    bad = contacts[41]
    if kind == "pass":
        sandbox.perform(
            lambda work: work.connection.execute(
                text("UPDATE end_users SET custom_fields = '{}' WHERE org_id = :org"),
                {"org": work.org_id},
            )
        )
        sandbox.series("pro", **PRO)
        sandbox.settle()
        sandbox.perform(
            lambda work: work.connection.execute(
                text("UPDATE end_users SET custom_fields = :pro WHERE org_id = :org"),
                {"org": work.org_id, "pro": '{"plan": "pro"}'},
            )
        )
        start_pass(sandbox)
    else:
        sandbox.series("all", entry_trigger="manual", **LATER)
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{bad}'"):
        sandbox.settle()
        assert enrolled(sandbox) == 99
        [(_, tries, waits, error)] = parked(sandbox)
        assert (tries, waits, error) == (1, True, NO_RUN)
        sandbox.wake(MINUTE)
        assert [each.tries for each in parked(sandbox)] == [1]
        assert sandbox.count(signals, signals.c.attempts > 0) == 0
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 100
    assert sandbox.count(signals) == 0


def test_a_pass_goes_on_without_a_poisonous_series(sandbox: Sandbox) -> None:
    """The series gets a pass of its own, which is worked when its fault is mended."""
    for key in ("one", "bad", "two"):
        sandbox.series(key, **PRO)
    sandbox.settle()
    sandbox.contacts((f"u{n:02}" for n in range(20)), custom_fields={"plan": "pro"})
    bad = id_of(sandbox, "bad")
    start_pass(sandbox)
    with refusing(sandbox.database, RUNS, f"NEW.automation_id = '{bad}'"):
        sandbox.settle()
        assert enrolled(sandbox) == 40
        assert kept_for(sandbox) == [bad]
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 60
    assert sandbox.count(signals) == 0


def test_a_companys_change_goes_on_behind_a_poisonous_contact(sandbox: Sandbox) -> None:
    """All other contacts of the company leave at once; this one leaves when the fault is mended."""
    company = {"org_id": sandbox.org_id, "external_id": "acme"}
    instants = dict.fromkeys(("created_at", "updated_at"), sandbox.now)
    made = insert(companies).values(**company, **instants).returning(companies.c.id)
    company_id = sandbox.perform(lambda work: work.connection.scalar(made))
    contacts = sandbox.contacts((f"u{number}" for number in range(6)), company_id=company_id)
    gone = [[{"field": "company.name", "operator": "is", "value": "Gone"}]]
    rules = {"exit_rules": ["filter_match"], "exit_filters": gone}
    sandbox.series("all", entry_trigger="manual", settings=rules, **LATER)
    sandbox.settle()
    call = IdentifyCompanyCall(id="acme", traits={"name": "Gone"})
    sandbox.perform(lambda work: identify_company(work, call))
    active = automation_enrollments.c.ended_at.is_(None)
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{contacts[2]}'", "UPDATE"):
        sandbox.settle()
        assert enrolled(sandbox, active) == 1
    sandbox.wake(MINUTE)
    assert enrolled(sandbox, active) == 0
    assert sandbox.count(signals) == 0


# An organisation


def test_an_organisation_that_cannot_be_read_holds_up_no_other(
    sandbox: Sandbox, shared_database: Engine
) -> None:
    """The installation's tick still rings for all the others."""
    bad = new_sandbox(shared_database, f"bad-{uuid4()}")
    asked = {each.org_id for each in (sandbox, bad)}
    for each in (sandbox, bad):
        each.series("pro", **PRO)
    with shared_database.begin() as connection:
        connection.execute(
            update(organizations)
            .where(organizations.c.key == bad.org.key)
            .values(timezone="Nowhere/Land")
        )
        ringing = organizations_with_work(connection)
    assert asked <= set(ringing)

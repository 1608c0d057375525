"""Narrow passes: they look at whatever may have changed since the last, once a day at all (§4)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, update

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.contacts.identifying.update import UpdateCall
from halo_engine.contacts.identifying.update import update as update_users
from halo_engine.domain.answer import Answer
from halo_engine.opening import open_work
from halo_engine.organizations.settings import OrganizationSettings
from halo_engine.organizations.storing import change_organization
from halo_engine.pipeline import wide
from halo_engine.pipeline.passes import taking
from halo_engine.pipeline.reaction import Reaction
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import automation_enrollments, organizations, pass_notes, signals
from halo_engine.work import Work
from tests.pipeline.faults import RUNS, refusing
from tests.pipeline.sandbox import NOON, Sandbox
from tests.pipeline.test_passes import PRO, entered, plan

QUARTER = timedelta(minutes=15)


def passed_fully(sandbox: Sandbox) -> datetime | None:
    """Return when the last pass over everybody began."""
    return sandbox.perform(lambda work: work.org.passed_fully_at)


def begun(sandbox: Sandbox) -> Sandbox:
    """Let the first pass come, which is one over everybody."""
    sandbox.tick(QUARTER)
    assert passed_fully(sandbox) == sandbox.now
    return sandbox


def updating(names: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the door that updates users, silently."""
    users = [{"user_id": name, "traits": traits} for name, traits in names.items()]
    call = UpdateCall.model_validate({"users": users})

    def updated(work: Work) -> Answer:
        return update_users(work, call, is_proven=True)

    return updated


def test_a_pass_looks_at_whoever_changed_silently_and_at_nobody_else(sandbox: Sandbox) -> None:
    """What changes behind the engine's back is found within a day, by a pass over everybody."""
    sandbox.series("pro", **PRO)
    sandbox.contacts(["told", "untold"], custom_fields={"plan": "free"})
    begun(sandbox)
    plan(sandbox, "untold", "pro")
    sandbox.perform(updating({"told": {"plan": "pro"}}))
    sandbox.settle()
    assert entered(sandbox) == []
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["told"]
    assert sandbox.count(pass_notes) == 0
    sandbox.tick(timedelta(hours=21, minutes=30))
    assert entered(sandbox) == ["told"]
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["told", "untold"]
    assert passed_fully(sandbox) == sandbox.now


def test_a_change_that_is_committed_after_the_pass_is_found_by_the_next(sandbox: Sandbox) -> None:
    """Its transaction began before the pass; the note comes with its commit."""
    sandbox.series("pro", **PRO, settings={"one_per_company": True})
    sandbox.contacts(["late", "first"], custom_fields={"plan": "free"})
    company_of(sandbox, "rival", "holder")
    # The field is registered: of two calls that register it one waits for the other.
    sandbox.perform(updating({"first": {"plan": "free"}}))
    sandbox.settle()
    begun(sandbox)
    assert entered(sandbox) == ["holder"]
    for name, door in (
        ("late", updating({"late": {"plan": "pro"}})),
        ("rival", lambda work: erase_contact(work, EraseContactCall(contact="holder"))),
    ):
        with sandbox.database.begin() as connection:
            door(open_work(connection, sandbox.org, sandbox.now))
            sandbox.perform(updating({"first": {"plan": "free"}}))
            sandbox.tick(QUARTER)
            assert name not in entered(sandbox)
        sandbox.tick(QUARTER)
        assert name in entered(sandbox)


def company_of(sandbox: Sandbox, *names: str) -> None:
    """Put contacts who match into one company; the last is the one who was created first."""
    for name in reversed(names):
        sandbox.contacts([name], custom_fields={"plan": "pro"})
        call = IdentifyCompanyCall.model_validate({"id": "acme", "user_id": name})
        sandbox.perform(partial(identify_company, call=call))
        sandbox.now += timedelta(seconds=1)


def test_time_alone_lets_contacts_in(sandbox: Sandbox) -> None:
    """A date passes its bound: that of a column, and the text of a custom field in any zone."""
    for key, field, operator, value in (
        ("column", "signed_up_at", "before", "-1d"),
        ("custom", "custom:trial_ends", "before", "+1h"),
    ):
        filters = [[{"field": field, "operator": operator, "value": value}]]
        sandbox.series(key, **{**PRO, "audience_filters": filters})
    sandbox.contacts(["a"], signed_up_at=NOON - timedelta(hours=23, minutes=40))
    sandbox.contacts(["b"], custom_fields={"trial_ends": "2026-06-01T15:25:00+02:00"})
    sandbox.contacts(["c"], custom_fields={"trial_ends": "soon"})
    assert NOON.isoformat() == "2026-06-01T12:00:00+00:00"
    begun(sandbox)
    assert entered(sandbox) == []
    sandbox.tick(QUARTER)
    assert sorted(map(str, entered(sandbox))) == ["a", "b"]


def test_a_contact_enters_again_once_its_delay_is_over(sandbox: Sandbox) -> None:
    """It left the audience and came back before; nothing but time changes after that."""
    settings = {"reenroll_enabled": True, "reenroll_delay_days": 1, "exit_rules": ["segment_leave"]}
    sandbox.series("pro", **PRO, settings=settings)
    sandbox.contacts(["a"], custom_fields={"plan": "free"})
    begun(sandbox)
    for value in ("pro", "free", "pro"):
        sandbox.perform(updating({"a": {"plan": value}}))
        sandbox.tick(QUARTER)
    assert entered(sandbox) == ["a"]
    # Since the last pass over everybody a day is not over.
    sandbox.perform(
        lambda work: work.connection.execute(
            update(organizations)
            .where(organizations.c.id == work.org_id)
            .values(passed_fully_at=work.now)
        )
    )
    sandbox.tick(timedelta(hours=23))
    assert entered(sandbox) == ["a"]
    sandbox.tick(timedelta(minutes=30))
    assert entered(sandbox) == ["a", "a"]


def test_a_saved_series_is_looked_at_for_everybody(sandbox: Sandbox) -> None:
    """Its definition says something else of everybody; the others' does not."""
    sandbox.series("pro", **PRO)
    sandbox.contacts(["a", "b"], custom_fields={"plan": "free"})
    begun(sandbox)
    filters = [[{"field": "plan", "operator": "is", "value": "free"}]]
    definition = parse_definition("pro", {**PRO, "audience_filters": filters})
    sandbox.perform(lambda work: save_series(work, "pro", definition))
    sandbox.tick(QUARTER)
    assert sorted(map(str, entered(sandbox))) == ["a", "b"]
    assert passed_fully(sandbox) == sandbox.now - QUARTER


def test_another_zone_asks_for_a_pass_over_everybody(sandbox: Sandbox) -> None:
    """Dates without a zone mean other instants there."""
    filters = [[{"field": "custom:since", "operator": "before", "value": "2026-06-01T12:00:00"}]]
    sandbox.series("since", **{**PRO, "audience_filters": filters})
    sandbox.contacts(["a"], custom_fields={"since": "2026-06-01T15:30:00+02:00"})
    begun(sandbox)
    changed = OrganizationSettings(timezone="America/New_York")
    key = sandbox.perform(lambda work: work.org.key)
    sandbox.perform(lambda work: change_organization(work.connection, key, changed))
    assert passed_fully(sandbox) is None
    sandbox.tick(QUARTER)
    assert passed_fully(sandbox) == sandbox.now


def test_a_pass_that_dies_between_two_pages_is_finished_by_another_worker(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its notes stay until its end, and nobody enters twice."""
    monkeypatch.setattr(wide, "PAGE", 2)
    sandbox.series("pro", **PRO)
    names = [f"u{number}" for number in range(5)]
    sandbox.contacts(names, custom_fields={"plan": "free"})
    begun(sandbox)
    sandbox.perform(updating({name: {"plan": "pro"} for name in names}))
    sandbox.settle()
    sandbox.now += QUARTER
    ticking = sandbox.engine.tick(sandbox.org_id)
    first = next(each for each in ticking if isinstance(each, Reaction))
    assert first.unfinished
    del ticking
    assert sandbox.count(automation_enrollments) == 2
    assert sandbox.count(pass_notes, pass_notes.c.taken_by.is_not(None)) >= 5
    sandbox.settle()
    assert sorted(map(str, entered(sandbox))) == names
    assert sandbox.count(pass_notes) == 0


def test_the_notes_of_a_pass_that_is_gone_are_taken_by_the_next(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However its signal was lost: discarded by an operator, for example."""
    monkeypatch.setattr(wide, "PAGE", 1)
    filters = [[{"field": "signed_up_at", "operator": "before", "value": "-1d"}]]
    sandbox.series("pro", **PRO)
    sandbox.series("old", **{**PRO, "audience_filters": filters})
    sandbox.contacts(["a", "b"], custom_fields={"plan": "free"})
    sandbox.contacts(["c"], signed_up_at=NOON - timedelta(hours=23, minutes=40))
    begun(sandbox)
    sandbox.perform(updating({"a": {"plan": "pro"}, "b": {"plan": "pro"}}))
    sandbox.settle()
    sandbox.now += QUARTER
    ticking = sandbox.engine.tick(sandbox.org_id)
    next(each for each in ticking if isinstance(each, Reaction))
    del ticking
    assert len(entered(sandbox)) == 1
    sandbox.perform(
        lambda work: work.connection.execute(delete(signals).where(signals.c.org_id == work.org_id))
    )
    sandbox.tick(QUARTER)
    assert sorted(map(str, entered(sandbox))) == ["a", "b", "c"]


def test_a_contact_whose_signal_is_set_aside_is_looked_at_all_the_same(sandbox: Sandbox) -> None:
    """A pass over everybody finds it too; what is discarded is looked at once more."""
    sandbox.series("pro", **PRO)
    [contact] = sandbox.contacts(["a"], custom_fields={"plan": "free"})
    begun(sandbox)
    plan(sandbox, "a", "pro")
    sandbox.signal([contact])
    sandbox.perform(
        lambda work: work.connection.execute(
            update(signals)
            .where(signals.c.org_id == work.org_id)
            .values(parked_at=work.now, error="it failed")
        )
    )
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["a"]


def test_more_notes_than_a_pass_takes_make_it_one_over_everybody(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading everybody is quicker than many one by one."""
    monkeypatch.setattr(taking, "MOST", 2)
    sandbox.series("pro", **PRO)
    names = ["a", "b", "c"]
    sandbox.contacts(names, custom_fields={"plan": "free"})
    begun(sandbox)
    sandbox.perform(updating({name: {"plan": "pro"} for name in names}))
    sandbox.settle()
    sandbox.tick(QUARTER)
    assert sorted(map(str, entered(sandbox))) == names
    assert passed_fully(sandbox) == sandbox.now
    assert sandbox.count(pass_notes) == 0


def test_who_was_seen_is_found_though_no_signal_says_so(sandbox: Sandbox) -> None:
    """For a series that asks when a contact was seen, every pass looks at everybody."""
    filters = [[{"field": "last_seen", "operator": "after", "value": "-10m"}]]
    sandbox.series("seen", **{**PRO, "audience_filters": filters})
    sandbox.contacts(["a", "b"], last_seen=NOON - timedelta(days=1))
    fully = begun(sandbox).now
    sandbox.now += QUARTER
    sandbox.perform(partial(identify, call=IdentifyCall(user_id="a", traits={})))
    sandbox.tick()
    assert entered(sandbox) == ["a"]
    assert passed_fully(sandbox) == fully


def test_a_contact_that_cannot_enter_is_passed_over_by_a_narrow_pass(sandbox: Sandbox) -> None:
    """The others enter at once; its own copy of the pass waits, and lets it in later."""
    sandbox.series("pro", **PRO)
    names = [f"u{number}" for number in range(6)]
    made = sandbox.contacts(names, custom_fields={"plan": "free"})
    begun(sandbox)
    fully = passed_fully(sandbox)
    sandbox.perform(updating({name: {"plan": "pro"} for name in names}))
    sandbox.settle()
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{made[3]}'"):
        sandbox.tick(QUARTER)
        for _ in range(30):
            sandbox.settle()
        assert sorted(map(str, entered(sandbox))) == [each for each in names if each != "u3"]
        assert sandbox.count(pass_notes) == 0
    sandbox.wake(timedelta(minutes=2))
    assert sorted(map(str, entered(sandbox))) == names
    assert passed_fully(sandbox) == fully


def test_old_events_of_one_contact_leave_one_note(sandbox: Sandbox) -> None:
    """However many there are, in one call or in several."""
    sandbox.contacts(["ann", "bob"])
    for name in ("ann", "bob", "ann", "ann"):
        old = TrackCall(user_id=name, event="login", timestamp="2026-01-01T00:00:00Z")
        sandbox.perform(partial(lambda call, work: track(work, call), old))
    assert sandbox.count(pass_notes) == 2

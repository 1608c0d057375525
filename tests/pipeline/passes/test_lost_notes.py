"""What is noted for a pass is looked at, whatever happens before it is (§4)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, select

from halo_engine.answers.operations.parked import Sort, WhichParked
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.stripe.absorption import absorb_leads
from halo_engine.journey.removal import remove
from halo_engine.pipeline.parked import discard_parked
from halo_engine.pipeline.passes import passing_time, taking
from halo_engine.series.lifecycle import find_series
from halo_engine.series.noting import note_series
from halo_engine.tables import pass_notes, signals
from halo_engine.work import Work
from tests.pipeline.faults import RUNS, id_of, parked, refusing
from tests.pipeline.passes.test_narrow_passes import QUARTER, begun, company_of, updating
from tests.pipeline.sandbox import Sandbox
from tests.pipeline.test_passes import PRO, entered, plan

ADDRESS = "shared@a.example"


def leave(sandbox: Sandbox, name: str) -> None:
    """Take a contact out of the series, as an operator does."""

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [name])
        remove(work, contact_id, find_series(work, "pro"))

    sandbox.perform(removed)


def test_a_series_that_is_noted_while_a_pass_looks_around_is_left_for_the_next(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass has read for which series it looks at everybody; it may not forget the note."""
    sandbox.series("pro", **PRO)
    sandbox.contacts(["a"], custom_fields={"plan": "free"})
    begun(sandbox)
    plan(sandbox, "a", "pro")
    looking = passing_time.turned

    def noted(*given: Any) -> Any:
        monkeypatch.setattr(taking, "turned", looking)
        sandbox.perform(lambda work: note_series(work, id_of(sandbox, "pro")))
        return looking(*given)

    monkeypatch.setattr(taking, "turned", noted)
    sandbox.tick(QUARTER)
    assert entered(sandbox) == []
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["a"]
    assert sandbox.count(pass_notes) == 0


def test_an_address_that_an_erased_contact_left_before_is_free(sandbox: Sandbox) -> None:
    """The note named the contact alone; whoever else has the address is noted in its place."""
    sandbox.series("pro", **PRO, settings={"one_per_address": True})
    pro = {"plan": "pro"}
    sandbox.contacts(["holder"], email=ADDRESS, custom_fields=pro)
    sandbox.now += QUARTER / 3
    sandbox.contacts(["other"], email=ADDRESS, custom_fields=pro)
    begun(sandbox)
    assert entered(sandbox) == ["holder"]
    leave(sandbox, "holder")
    sandbox.perform(lambda work: erase_contact(work, EraseContactCall(contact="holder")))
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["other"]
    assert sandbox.count(pass_notes) == 0


def test_a_seat_that_an_erased_contact_left_before_is_free(sandbox: Sandbox) -> None:
    """The note of the company stood beside that of the contact."""
    sandbox.series("pro", **PRO, settings={"one_per_company": True, "one_per_address": True})
    company_of(sandbox, "rival", "holder")
    begun(sandbox)
    assert entered(sandbox) == ["holder"]
    leave(sandbox, "holder")
    sandbox.perform(lambda work: erase_contact(work, EraseContactCall(contact="holder")))
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["rival"]


def test_an_address_that_a_lead_left_before_it_became_a_user_is_free(sandbox: Sandbox) -> None:
    """The user has another address, and of both runs its own stays."""
    sandbox.series("pro", **PRO, settings={"one_per_address": True})
    pro = {"plan": "pro"}
    [lead] = sandbox.contacts(["lead"], email=ADDRESS, custom_fields=pro)
    [user] = sandbox.contacts(["user"], email="user@a.example")
    sandbox.now += QUARTER / 3
    sandbox.contacts(["other"], email=ADDRESS, custom_fields=pro)
    begun(sandbox)
    sandbox.perform(updating({"user": pro}))
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["lead", "user"]
    for name in ("lead", "user"):
        leave(sandbox, name)
    sandbox.perform(lambda work: absorb_leads(work, {lead: user}))
    assert entered(sandbox) == ["user"]
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["user", "other"]


@pytest.mark.parametrize("at_fault", ["first", "late"])
def test_the_last_noted_contact_that_cannot_enter_waits_alone(
    sandbox: Sandbox, at_fault: str
) -> None:
    """Its copy of the pass is about it and nobody else, even if it came after the pass began."""
    sandbox.series("pro", **PRO)
    names = {"first": QUARTER * 2, "untold": QUARTER, "late": -QUARTER * 2}
    made = {}
    for name, before in names.items():
        values = {"custom_fields": {"plan": "free"}, "created_at": sandbox.now - before}
        [made[name]] = sandbox.contacts([name], **values)
    begun(sandbox)
    plan(sandbox, "untold", "pro")
    sandbox.perform(updating({at_fault: {"plan": "pro"}}))
    sandbox.settle()
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{made[at_fault]}'"):
        sandbox.tick(QUARTER)
        for _ in range(30):
            sandbox.settle()
        assert [each.waits for each in parked(sandbox)] == [True]
        assert sandbox.count(pass_notes) == 0
    sandbox.wake(timedelta(minutes=2))
    assert entered(sandbox) == [at_fault]


def test_a_contact_whose_copy_of_a_pass_is_discarded_is_looked_at_by_the_next(
    sandbox: Sandbox,
) -> None:
    """The copy names it in its place alone."""
    sandbox.series("pro", **PRO)
    [contact] = sandbox.contacts(["a"], custom_fields={"plan": "free"})
    begun(sandbox)
    sandbox.perform(updating({"a": {"plan": "pro"}}))
    sandbox.settle()
    with refusing(sandbox.database, RUNS, f"NEW.end_user_id = '{contact}'"):
        sandbox.tick(QUARTER)
        for _ in range(30):
            sandbox.settle()
        [copy] = sandbox.perform(lambda work: list(work.connection.scalars(_parked_ids(work))))
        which = WhichParked(ids=(copy,))
        sandbox.perform(lambda work: discard_parked(work, Sort.SIGNALS, which))
    sandbox.tick(QUARTER)
    assert entered(sandbox) == ["a"]


def _parked_ids(work: Work) -> Select[int]:
    return select(signals.c.id).where(
        signals.c.org_id == work.org_id, signals.c.parked_at.is_not(None)
    )

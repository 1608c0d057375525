"""What is noted for a pass is looked at, whatever happens before it is (§4)."""

from typing import Any

import pytest

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.finding import find_contacts
from halo_engine.contacts.stripe.absorption import absorb_leads
from halo_engine.journey.removal import remove
from halo_engine.pipeline.passes import passing_time, taking
from halo_engine.series.lifecycle import find_series
from halo_engine.series.noting import note_series
from halo_engine.tables import pass_notes
from halo_engine.work import Work
from tests.pipeline.faults import id_of
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

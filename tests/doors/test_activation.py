"""An activation says in numbers what it will do, and does no more than expected (§18)."""

from typing import Any

import pytest

from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.contacts.identifying.leads import CaptureLeadCall, capture_lead
from halo_engine.domain.errors import Refusal
from tests.doors.conftest import Operator
from tests.pipeline.sandbox import Sandbox

LETTER: dict[str, Any] = {
    "entry_trigger": "manual",
    "contact_type": "user",
    "steps": [{"key": "a", "delay": "1h", "email": {"subject": "A", "body": "A"}}],
}


def test_an_activation_is_foreseen_in_numbers(sandbox: Sandbox, operate: Operator) -> None:
    """Who enters, when the first mail goes, and who is left out by which guard."""
    sandbox.contacts(["ann", "bob", "cat"])
    sandbox.perform(lambda work: bounce(work, BounceCall(contact="cat")))
    lead = CaptureLeadCall(email="lead@a.example", traits={})
    sandbox.perform(lambda work: capture_lead(work, lead))
    operate("series.save", series="s", definition=LETTER)
    assert operate("series.foresee", series="s") == {
        "series": "s",
        "enrolls": 2,
        "first_mail_at": "2026-06-01T13:00:00.000000+00:00",
        "takes_seconds": None,
        "left_out": {"contact_type": 1, "suppressed": 1},
        "surge_at_most": None,
    }
    operate("series.save", series="w", definition={**LETTER, "entry_trigger": "user_created"})
    assert operate("series.foresee", series="w")["enrolls"] == 0


def test_an_activation_beyond_what_is_expected_is_refused(
    sandbox: Sandbox, operate: Operator
) -> None:
    """Nothing is activated; with the right number it is."""
    sandbox.contacts(["ann", "bob"])
    operate("series.save", series="s", definition=LETTER)
    with pytest.raises(Refusal) as refused:
        operate("series.activate", series="s", expect_at_most=1)
    assert (refused.value.status, refused.value.code) == (409, "more_than_expected")
    assert operate("series.show", series="s")["status"] == "draft"
    assert operate("series.activate", series="s", expect_at_most=2)["status"] == "active"

"""The words that are stored and answered are those of the contract, in its order."""

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.guards import ReasonCode


def test_reason_codes_stand_in_the_order_of_the_guards() -> None:
    """The first guard that refuses gives the code, so their order is part of the contract (§4)."""
    assert list(ReasonCode) == [
        "series_not_active",
        "contact_type",
        "audience_mismatch",
        "suppressed",
        "already_active",
        "already_enrolled",
        "reenroll_delay",
        "not_newly_matching",
        "exit_filter",
        "company_already_enrolled",
        "address_already_enrolled",
        "surge_discarded",
        "surge_held",
        "waiting_for_data",
        "awaiting_evaluation",
        "trigger_not_fired",
    ]


def test_exit_reasons_stand_in_the_order_in_which_one_is_stamped() -> None:
    """If several rules hold, the first in the table is stamped (§6); a condition comes last."""
    assert list(ExitReason) == [
        "completed",
        "unsubscribed",
        "replied",
        "segment_leave",
        "event",
        "filter_match",
        "manual",
        "suppressed",
        "company_already_enrolled",
        "condition_not_met",
    ]


def test_pending_and_processing_recipients_are_active() -> None:
    """A recipient is active until its step is over (§1)."""
    assert [status for status in Status if status.is_active] == ["pending", "processing"]

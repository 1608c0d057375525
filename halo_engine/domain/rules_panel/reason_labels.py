"""What the panel calls each part of the ledger, and each reason code (contract §10, §17)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from halo_engine.domain.reasons import FailReason, SkipReason
from halo_engine.domain.series.guards import ReasonCode

#: By the codes that explain and the ledger answer.
REASON_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "active": "In it now",
        "active_outside": "In it now, but no longer matching",
        "held_outside": "Held in a surge, but no longer matching",
        "waiting_outside": "Waiting for data",
        ReasonCode.SERIES_NOT_ACTIVE: "The series is not active",
        ReasonCode.CONTACT_TYPE: "Of the wrong contact type",
        ReasonCode.AUDIENCE_MISMATCH: "Did not match the audience",
        ReasonCode.SUPPRESSED: "Gets no mail: bounced, complained or unsubscribed",
        ReasonCode.ALREADY_ACTIVE: "Was in it when the trigger fired",
        ReasonCode.ALREADY_ENROLLED: "Was in it before; re-enrollment is off",
        ReasonCode.REENROLL_DELAY: "Entered too recently to enter again",
        ReasonCode.NOT_NEWLY_MATCHING: "Has matched since its last run",
        ReasonCode.EXIT_FILTER: "Matches the exit filter",
        ReasonCode.COMPANY_ALREADY_ENROLLED: "Somebody of its company is in it",
        ReasonCode.ADDRESS_ALREADY_ENROLLED: "Somebody with its address is in it",
        ReasonCode.SURGE_DISCARDED: "Was held in a surge, and discarded",
        ReasonCode.SURGE_HELD: "Held in a surge",
        ReasonCode.WAITING_FOR_DATA: "Waiting for data",
        ReasonCode.AWAITING_EVALUATION: "Enters at the next re-evaluation",
        ReasonCode.TRIGGER_NOT_FIRED: "The trigger has not fired for it",
    }
)

_NOT_SENT: Final[Mapping[str, str]] = MappingProxyType(
    {each.value: each.words for each in (*SkipReason, *FailReason)}
)


def why_not_sent(reason: str) -> str:
    """Return why a step was skipped or its mail failed, in words; a mail server's own as it is."""
    return _NOT_SENT.get(reason, reason)

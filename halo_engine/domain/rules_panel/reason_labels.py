"""What the panel calls each part of the ledger, and each reason code (contract §10, §17)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from halo_engine.domain.reasons import FailReason, SkipReason
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason
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

#: What ends a run and has no label of the documents, as no series can choose it.
_OTHER_EXITS: Final[Mapping[ExitReason, str]] = MappingProxyType(
    {
        ExitReason.SUPPRESSED: "Gets no mail: bounced, complained or unsubscribed",
        ExitReason.COMPANY_ALREADY_ENROLLED: "Its company has somebody in it",
        ExitReason.CONDITION_NOT_MET: "Does not meet a condition",
    }
)
_EXITS: Final[Mapping[str, str]] = MappingProxyType(
    {rule.key.value: rule.label or _OTHER_EXITS.get(rule.key, rule.words) for rule in EXIT_RULES}
)
_NOT_SENT: Final[Mapping[str, str]] = MappingProxyType(
    {each.value: each.words for each in (*SkipReason, *FailReason)}
)


def why_left(reason: str) -> str:
    """Return what ended a run, as the panel calls it; a reason that is not known as it is."""
    return _EXITS.get(reason, reason)


def why_not_sent(reason: str) -> str:
    """Return why a step was skipped or its mail failed, in words; a mail server's own as it is."""
    return _NOT_SENT.get(reason, reason)

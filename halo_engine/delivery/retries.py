"""What is asked for when failed emails are sent again, and what came of it (contract §9)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from halo_engine.contacts.calls import Answer, Call, Identifier
from halo_engine.domain.reasons import FailReason
from halo_engine.domain.values import check_text


def _check_reason(value: object) -> object:
    if isinstance(value, str):
        check_text(value, "reason")
    return value


_Reason = Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_check_reason)]


class RetryCall(Call):
    """Which failed emails: of a series, perhaps of one step, perhaps only those of one reason.

    A ``reason`` is part of what the row says, in any case. Those of which nobody knows whether they
    were sent are taken only where it is ``outcome_unknown``: they may then come twice. ``after`` is
    the recipient that an earlier turn came to.
    """

    series: Identifier
    step: Identifier | None = None
    reason: _Reason | None = None
    after: int = Field(default=0, ge=0, lt=2**63)

    @property
    def unknown(self) -> bool:
        """Whether it asks for emails of which nobody knows whether they were sent."""
        return self.reason == FailReason.OUTCOME_UNKNOWN


class Verdict(StrEnum):
    """What came of one retry."""

    SENT = "sent"
    FAILED = "failed"
    #: Handed over, and no answer came.
    UNKNOWN = "unknown"
    #: Not tried: it would not be sent today, for the reason given.
    HELD = "held"
    #: The server takes no mail now, or somebody stopped it; the rest was not tried.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of the retry of one recipient's email, and why it was not sent."""

    recipient_id: int
    verdict: Verdict
    reason: str | None = None


def one_turn(
    retried: Iterable[Retried], is_over: Callable[[], bool]
) -> tuple[list[Retried], int | None]:
    """Take retries until the turn ``is_over``; return them, and ``after`` which recipient another
    turn goes on, None when there is no more to try, or no more is tried now.
    """
    taken = []
    for each in retried:
        taken.append(each)
        if each.verdict is not Verdict.STOPPED and is_over():
            return taken, each.recipient_id
    return taken, None


class RetryTally(Answer):
    """How many emails were sent, failed again, may have been sent, and were held back and why.

    ``stopped`` is why no more was tried: what the server said, or that sending is stopped.
    """

    series: str
    sent: int
    failed: int
    unknown: int
    held: dict[str, int]
    stopped: str | None


def tally(call: RetryCall, retried: Iterable[Retried]) -> RetryTally:
    """Count what came of retries."""
    verdicts, held = Counter[Verdict](), Counter[str]()
    stopped = None
    for each in retried:
        verdicts[each.verdict] += 1
        if each.verdict is Verdict.HELD:
            held[str(each.reason)] += 1
        if each.verdict is Verdict.STOPPED:
            stopped = each.reason
    return RetryTally(
        series=call.series,
        sent=verdicts[Verdict.SENT],
        failed=verdicts[Verdict.FAILED],
        unknown=verdicts[Verdict.UNKNOWN],
        held=dict(sorted(held.items())),
        stopped=stopped,
    )

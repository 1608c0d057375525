"""The call that sends failed emails again, and its answer (contract §9)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import FailReason
from halo_engine.domain.values import check_text


def _check_reason(value: object) -> object:
    if isinstance(value, str):
        check_text(value, "reason")
    return value


_Reason = Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_check_reason)]


class RetryCall(Call):
    """Which failed emails to send again: those of a series, optionally of one step or reason.

    ``reason`` matches any part of the row's reason, in any case. Emails of unknown outcome are
    included only if it is ``outcome_unknown``; they may then arrive twice. ``after`` is the cursor:
    the last recipient of an earlier turn.
    """

    series: Identifier
    step: Identifier | None = None
    reason: _Reason | None = None
    after: int = Field(default=0, ge=0, lt=2**63)

    @property
    def unknown(self) -> bool:
        """Whether it asks for emails of unknown outcome."""
        return self.reason == FailReason.OUTCOME_UNKNOWN


class Verdict(StrEnum):
    """The outcome of one retry."""

    SENT = "sent"
    FAILED = "failed"
    #: Handed over, but no answer came.
    UNKNOWN = "unknown"
    #: Not tried: it would not be sent today, for the reason given.
    HELD = "held"
    #: The server is down, or sending is stopped; the rest was not tried.
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RetriedMail:
    """The outcome of one recipient's retry, and why it was not sent."""

    recipient_id: int
    verdict: Verdict
    reason: str | None = None


def one_turn(
    retried: Iterable[RetriedMail], is_over: Callable[[], bool]
) -> tuple[list[RetriedMail], int | None]:
    """Take retries until the turn ``is_over``; return them, and the cursor for the next turn.

    The cursor is None if nothing is left, or if sending stopped.
    """
    taken = []
    for each in retried:
        taken.append(each)
        if each.verdict is not Verdict.STOPPED and is_over():
            return taken, each.recipient_id
    return taken, None


class RetryTally(Answer):
    """How many emails were sent, failed again, may have been sent, or were held back (by reason).

    ``stopped`` is why the rest was not tried: the server's words, or that sending is stopped.
    """

    series: str
    sent: int
    failed: int
    unknown: int
    held: dict[str, int]
    stopped: str | None


def tally(call: RetryCall, retried: Iterable[RetriedMail]) -> RetryTally:
    """Count the outcomes of retries."""
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

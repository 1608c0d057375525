"""Mails that failed or may have been sent, and what of them a person can mend (``halo status``)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, func, select

from halo_engine.answers.bounce_counts import MANY, OF_THE_SENDER, Returned
from halo_engine.answers.shape import Answer, Instant
from halo_engine.domain.bounce_reasons import FOR_GOOD, BounceReason
from halo_engine.domain.bounces import kind_of
from halo_engine.tables import automations, messages
from halo_engine.work import Work

#: So many refusals for other reasons than the address are no accident: the sender is refused.
_MANY_REFUSALS: Final = 3
#: Only the recipient can mend these.
_OF_THE_RECIPIENT: Final = FOR_GOOD | {BounceReason.MAILBOX_FULL, BounceReason.MAILBOX_DISABLED}


class MailTrouble(Answer):
    """Mails of one series that failed for one reason, or whose outcome is ``unknown``.

    ``kind`` is what the mail server's refusal is about; None where it said nothing.
    """

    series: str
    state: str
    reason: str | None
    kind: BounceReason | None
    mails: int
    latest: Instant


def mail_troubles(work: Work, since: datetime) -> list[MailTrouble]:
    """Return the mails that failed or whose outcome is unknown since then, the most first."""
    mails, series = messages, automations
    of_series = and_(series.c.org_id == mails.c.org_id, series.c.id == mails.c.automation_id)
    number = func.count().label("mails")
    rows = work.connection.execute(
        select(
            series.c.key.label("series"),
            mails.c.state,
            mails.c.error.label("reason"),
            number,
            func.max(mails.c.intended_at).label("latest"),
        )
        .select_from(mails.join(series, of_series))
        .where(
            mails.c.org_id == work.org_id,
            mails.c.state.in_(["failed", "unknown"]),
            mails.c.intended_at >= since,
        )
        .group_by(series.c.key, mails.c.state, mails.c.error)
        .order_by(number.desc(), series.c.key, mails.c.state, mails.c.error)
    ).mappings()
    return [
        MailTrouble.model_validate({**row, "kind": kind_of(row["reason"] or "")}) for row in rows
    ]


def mail_needs(troubles: Sequence[MailTrouble], rising: Sequence[Returned]) -> Iterator[str]:
    """Yield what a person can mend: no wrong address, and no single refusal."""
    kinds: Counter[str] = Counter()
    for trouble in troubles:
        if trouble.state == "failed" and trouble.kind not in _OF_THE_RECIPIENT:
            kinds[trouble.kind or BounceReason.UNCLEAR] += trouble.mails
    if kinds.total() >= _MANY_REFUSALS:
        named = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
        yield f"mails that failed for good, not for their addresses: {kinds.total()} ({named})"
    unknown = sum(each.mails for each in troubles if each.state == "unknown")
    if unknown:
        yield f"mails that may or may not have been sent: {unknown}"
    for each in rising:
        if each.reason in OF_THE_SENDER and each.reports >= MANY:
            yield f"mails of {each.series} that come back: {each.reports} ({each.reason})"

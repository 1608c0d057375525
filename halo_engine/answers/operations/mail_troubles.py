"""Mails that failed or may have been sent; what a person can do about them (``halo status``)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, select

from halo_engine.answers.bounce_counts import MANY, OF_THE_SENDER, Returned
from halo_engine.domain.answer import Answer
from halo_engine.domain.bounce_reasons import FOR_GOOD, BounceReason
from halo_engine.domain.times.instants import Instant
from halo_engine.mail.reading.bounces import kind_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, messages
from halo_engine.work import Work

#: From so many refusals on that are not about the address, it is the sender that is refused.
_MANY_REFUSALS: Final = 3
#: Only the recipient can do something about these.
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
    rows = work.connection.execute(_find_mail_troubles(work, since)).mappings()
    return [
        MailTrouble.model_validate({**row, "kind": kind_of(row["reason"] or "")}) for row in rows
    ]


@statement("find_mail_troubles")
def _find_mail_troubles(work: Work, since: datetime) -> Select[Any]:
    mails, series = messages, automations
    of_series = and_(series.c.org_id == mails.c.org_id, series.c.id == mails.c.automation_id)
    number = func.count().label("mails")
    return (
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
    )


def mail_needs(troubles: Sequence[MailTrouble], rising: Sequence[Returned]) -> Iterator[str]:
    """Yield what needs a person: neither wrong addresses nor single refusals do."""
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

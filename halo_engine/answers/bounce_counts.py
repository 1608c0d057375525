"""Bounces counted by reason, and which of them rise (``halo status``)."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, bounce_reports, messages
from halo_engine.work import Work

#: Reasons that the sender can do something about.
OF_THE_SENDER: Final = frozenset(
    {
        BounceReason.AUTHENTICATION,
        BounceReason.BLOCKLIST,
        BounceReason.CONTENT,
        BounceReason.POLICY,
        BounceReason.RATE,
        BounceReason.SENDER_REFUSED,
    }
)
#: From so many bounces of one series and reason on a person is needed.
MANY: Final = 10


class Returned(Answer):
    """Bounces of one series and reason since an instant; ``before``: in the same span before it."""

    series: str
    reason: BounceReason
    reports: int
    before: int
    latest: Instant


def bounces_of(work: Work, whose: ColumnElement[bool]) -> dict[BounceReason, int]:
    """Return the bounces of mails that meet a condition, by reason; most frequent first."""
    found = work.connection.execute(_count_bounces(work, whose))
    return {BounceReason(reason): count for reason, count in found}


@statement("count_bounces", whose=messages.c.end_user_id.is_not(None))
def _count_bounces(work: Work, whose: ColumnElement[bool]) -> Select[Any]:
    reports, mails = bounce_reports, messages
    of_mail = and_(
        reports.c.org_id == mails.c.org_id, reports.c.recipient_id == mails.c.recipient_id
    )
    number = func.count()
    return (
        select(reports.c.reason, number)
        .select_from(mails.join(reports, of_mail))
        .where(mails.c.org_id == work.org_id, whose)
        .group_by(reports.c.reason)
        .order_by(number.desc(), reports.c.reason)
    )


def rising_bounces(work: Work, since: datetime) -> list[Returned]:
    """Return the reasons with more bounces since ``since`` than in the same span before; most
    first.
    """
    found = work.connection.execute(_find_rising_bounces(work, since)).mappings()
    return [Returned.model_validate(dict(row)) for row in found]


@statement("find_rising_bounces")
def _find_rising_bounces(work: Work, since: datetime) -> Select[Any]:
    reports, mails, series = bounce_reports, messages, automations
    of_mail = and_(
        mails.c.org_id == reports.c.org_id, mails.c.recipient_id == reports.c.recipient_id
    )
    of_series = and_(series.c.org_id == mails.c.org_id, series.c.id == mails.c.automation_id)
    is_recent = reports.c.reported_at >= since
    now, before = func.count().filter(is_recent), func.count().filter(~is_recent)
    return (
        select(
            series.c.key.label("series"),
            reports.c.reason,
            now.label("reports"),
            before.label("before"),
            func.max(reports.c.reported_at).label("latest"),
        )
        .select_from(reports.join(mails, of_mail).join(series, of_series))
        .where(
            reports.c.org_id == work.org_id,
            reports.c.reported_at >= since - (work.now - since),
        )
        .group_by(series.c.key, reports.c.reason)
        .having(now > before)
        .order_by(now.desc(), series.c.key, reports.c.reason)
    )

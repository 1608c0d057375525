"""Bounce reports: each is stored, and a permanent one suppresses the address (§2, §3).

A full mailbox suppresses the address only after it was full for long.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    func,
    insert,
    literal,
    or_,
    select,
)

from halo_engine.contacts.consent.suppression import namesakes, suppress
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows
from halo_engine.contacts.silent import tell
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.tables import bounce_reports, messages, suppressions
from halo_engine.work import Work

#: So many reports of a full mailbox, over at least this time, suppress the address.
FULL_REPORTS: Final = 5
FULL_FOR: Final = timedelta(days=30)


def note_bounces(work: Work, bounces: Mapping[int, Bounce]) -> list[int]:
    """Store bounces, given by recipient row; suppress the addresses that bounced for good.

    Returns the recipient rows of those addresses. One statement; exits react for every contact with
    such an address. A mail that is not in the send log is passed over.
    """
    return [
        row["recipient_id"]
        for row in noting_bounces(work.org_id, bounces, work.now).rows(work.connection)
    ]


def noting_bounces(
    org_id: UUID, bounces: Mapping[int, Bounce], now: datetime | None
) -> BoundStatement:
    """Return the call of ``note_bounces``; without ``now`` it reads the database's clock."""
    given = [
        {"ordinal": ordinal, "recipient_id": row, "reason": each.reason, "for_good": each.for_good}
        for ordinal, (row, each) in enumerate(bounces.items())
    ]
    return BoundStatement(_noting(), {"org_id": org_id, "now": now, "given_rows": given})


@prepared("note_bounces")
def _noting() -> Select[Any]:
    given = given_rows(
        {
            "ordinal": Integer(),
            "recipient_id": BigInteger(),
            "reason": Text(),
            "for_good": Boolean(),
        }
    )
    is_it = and_(messages.c.org_id == ORG_ID, messages.c.recipient_id == given.c.recipient_id)
    returned = (
        select(
            given,
            messages.c.end_user_id.label("contact_id"),
            func.lower(messages.c.to_address).label("address"),
        )
        .select_from(given.join(messages, is_it))
        .cte("returned")
    )
    names = ["org_id", "recipient_id", "reason", "for_good", "reported_at"]
    rows = select(
        ORG_ID, returned.c.recipient_id, returned.c.reason, returned.c.for_good, NOW
    ).order_by(returned.c.ordinal)
    reported = insert(bounce_reports).from_select(names, rows, include_defaults=True)
    gone = (
        select(returned).where(or_(returned.c.for_good, _was_full_for_long(returned))).cte("gone")
    )
    return (
        select(gone.c.recipient_id)
        .order_by(gone.c.ordinal)
        .add_cte(
            reported.cte("reported"),
            suppress(gone, suppressions.c.bounced_at),
            tell(namesakes(gone).cte("concerned"), SUPPRESSION_KEY),
        )
    )


def _was_full_for_long(returned: FromClause) -> ColumnElement[bool]:
    """Whether a mailbox was full often and long enough since an operator last forgave that."""
    reports, mails = bounce_reports, messages.alias("earlier")
    of_mail = and_(reports.c.org_id == ORG_ID, reports.c.recipient_id == mails.c.recipient_id)
    earlier = (
        select(
            and_(
                func.count() >= FULL_REPORTS - 1,
                func.min(reports.c.reported_at) <= NOW - literal(FULL_FOR),
            )
        )
        .select_from(mails.join(reports, of_mail))
        .where(
            mails.c.org_id == ORG_ID,
            mails.c.end_user_id == returned.c.contact_id,
            func.lower(mails.c.to_address) == returned.c.address,
            reports.c.reason == BounceReason.MAILBOX_FULL,
            reports.c.forgiven_at.is_(None),
        )
        .correlate(returned)
        .scalar_subquery()
    )
    return and_(returned.c.reason == BounceReason.MAILBOX_FULL, earlier)

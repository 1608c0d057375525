"""Judge whether links of mails were followed by their readers or by scanners (contract §16).

A scanner follows several links of one mail within a second, and its requests may be answered by
several processes. So the database compares them, once all are there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from halo_engine.domain.machines import JUDGED_AFTER, SCANNED_WITHIN
from halo_engine.mail.incoming.events import MailEvent, event_by, note_mails
from halo_engine.sql.statements import statement
from halo_engine.tables import followed_links, messages, organizations
from halo_engine.work import Work

#: A link stays so long for those that are noted late, as after an outage.
_REMEMBERED: Final = timedelta(minutes=1)
#: What no web process has judged by then, the tick judges: the process was killed.
_LEFT_AFTER: Final = timedelta(seconds=30)
#: So many links are judged in one transaction.
MOST_AT_ONCE: Final = 5_000


def judge_links(work: Work, limit: int = MOST_AT_ONCE) -> int:
    """Note the clicks that have waited long enough, each as a person's or a machine's, at its own
    instant; return how many links were judged.
    """
    judged = work.connection.execute(_judge(work, work.now - JUDGED_AFTER, limit)).all()
    for machine in (False, True):
        clicks: Sequence[tuple[str, datetime]] = [
            (row.message_id, row.at) for row in judged if row.is_click and row.machine is machine
        ]
        note_mails(event_by(MailEvent.CLICKED, machine=machine), work, clicks)
    return len(judged)


@statement("judge_followed_links")
def _judge(work: Work, until: datetime, limit: int) -> Select[Any]:
    """Build the statement: a row for each link, with its mail and whether a machine followed it.

    It also deletes those that were judged long ago.
    """
    links = followed_links
    due = (
        select(links)
        .where(links.c.org_id == work.org_id, ~links.c.judged, links.c.noted_at <= until)
        .order_by(links.c.noted_at, links.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    beside = links.alias("beside")
    is_beside = exists().where(
        beside.c.org_id == work.org_id,
        beside.c.recipient_id == due.c.recipient_id,
        beside.c.at.between(due.c.at - SCANNED_WITHIN, due.c.at + SCANNED_WITHIN),
        beside.c.link != due.c.link,
    )
    judged = (
        update(links)
        .where(links.c.org_id == work.org_id, links.c.id == due.c.id)
        .values(judged=true())
        .cte("judged")
    )
    old = and_(links.c.judged, links.c.noted_at < until - _REMEMBERED)
    swept = delete(links).where(links.c.org_id == work.org_id, old).cte("swept")
    # A look-up for each: a join would read all mails of the organisation where they seem few.
    message_id = (
        select(messages.c.message_id)
        .where(messages.c.org_id == work.org_id, messages.c.recipient_id == due.c.recipient_id)
        .scalar_subquery()
    )
    return (
        select(
            message_id.label("message_id"),
            due.c.at,
            due.c.is_click,
            or_(due.c.machine, is_beside).label("machine"),
        )
        .order_by(due.c.at, due.c.id)
        .add_cte(judged, swept)
    )


def organizations_to_judge(connection: Connection, now: datetime | None) -> list[UUID]:
    """Return the organisations with links that no web process judged, or that may be deleted."""
    return list(connection.scalars(_find_orgs_to_judge(now)))


@statement("find_orgs_to_judge")
def _find_orgs_to_judge(now: datetime | None) -> Select[Any]:
    at: Any = func.now() if now is None else now
    links = followed_links
    is_left = or_(
        and_(~links.c.judged, links.c.noted_at < at - _LEFT_AFTER),
        and_(links.c.judged, links.c.noted_at < at - JUDGED_AFTER - _REMEMBERED),
    )
    return select(organizations.c.id).where(
        exists().where(links.c.org_id == organizations.c.id, is_left)
    )

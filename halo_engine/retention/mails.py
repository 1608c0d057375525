"""The statement that deletes a page of old mails (contract §24).

A mail stays while a run of its contact in its series goes on: conditions read what became of the
run's mails, and a reply to a mail of an earlier run ends it too. One that came back stays for good:
reports of a full mailbox add up over years.

Of what goes, its reader stays (``former_mails``), so that links to unsubscribe work, and so do its
counts (``cleared_mails``).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    delete,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.retention.walking import Cursor, Page
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    bounce_reports,
    cleared_mails,
    end_users,
    former_mails,
    messages,
)
from halo_engine.tables.enrollments import is_run
from halo_engine.tables.messages import MAIL_COUNTS, counts_of_mails
from halo_engine.work import Work


def delete_mails(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Page:
    """Look at a page of mails after ``cursor``, and delete the old ones among them."""
    last, is_young, deleted = work.connection.execute(_walk_mails(work, cut, limit, cursor)).one()
    return Page(deleted, None if is_young else last)


@statement("delete_old_mails", cursor=None)
def _walk_mails(work: Work, cut: datetime, limit: int, cursor: Any) -> Select[Any]:
    """Walk in order of the rows that the mails are of.

    A row may have waited for long before its mail went out, so a young mail says nothing of those
    that follow. But a mail whose run began after the cut does: all rows that follow are younger.
    """
    page = _page(work, limit, cursor)
    old = _held(work, page, cut)
    gone = (
        delete(messages)
        .where(messages.c.org_id == work.org_id, messages.c.recipient_id == old.c.recipient_id)
        .returning(messages)
        .cte("gone")
    )
    runs = automation_enrollments
    of_run = is_run(runs, work.org_id, page)
    is_young = func.bool_or(and_(page.c.at >= cut, runs.c.created_at >= cut))
    deleted = select(func.count()).select_from(gone).scalar_subquery()
    return (
        select(func.max(page.c.recipient_id), func.coalesce(is_young, True), deleted)
        .select_from(page.outerjoin(runs, of_run))
        .add_cte(_readers_kept(gone), _counted(gone))
    )


def _at(mails: FromClause) -> ColumnElement[Any]:
    """Return when a mail was sent, or last tried."""
    return func.greatest(mails.c.intended_at, mails.c.sent_at)


def _page(work: Work, limit: int, cursor: Any) -> CTE:
    named = (messages.c[name] for name in ("recipient_id", "end_user_id", "automation_id"))
    number, at = messages.c.enrollment_number.label("number"), _at(messages).label("at")
    page = select(*named, number, at).where(messages.c.org_id == work.org_id)
    if cursor is not None:
        page = page.where(messages.c.recipient_id > cursor)
    return page.order_by(messages.c.recipient_id).limit(limit).cte("page")


def _held(work: Work, page: CTE, cut: datetime) -> CTE:
    """Lock the old mails of a page that no rule reads, but for those that somebody has locked.

    Their contacts are locked first, as an erasure locks them: their readers refer to them.
    """
    runs, reports, contacts = automation_enrollments, bounce_reports, end_users
    goes_on = exists().where(
        runs.c.org_id == work.org_id,
        runs.c.automation_id == page.c.automation_id,
        runs.c.end_user_id == page.c.end_user_id,
        runs.c.ended_at.is_(None),
    )
    came_back = exists().where(
        reports.c.org_id == work.org_id, reports.c.recipient_id == page.c.recipient_id
    )
    unread = (
        select(page.c.recipient_id, page.c.end_user_id)
        .where(page.c.at < cut, ~goes_on, ~came_back)
        .cte("unread")
    )
    whose = (
        select(contacts.c.id)
        .where(contacts.c.org_id == work.org_id, contacts.c.id.in_(select(unread.c.end_user_id)))
        .with_for_update(read=True, key_share=True, skip_locked=True)
        .cte("whose")
    )
    return (
        select(messages.c.recipient_id)
        .select_from(
            unread.join(whose, whose.c.id == unread.c.end_user_id).join(
                messages,
                and_(
                    messages.c.org_id == work.org_id,
                    messages.c.recipient_id == unread.c.recipient_id,
                ),
            )
        )
        .where(messages.c.state != literal_column("'intended'"), _at(messages) < cut)
        .with_for_update(of=messages, skip_locked=True)
        .cte("old")
    )


def _readers_kept(gone: CTE) -> CTE:
    names = ("org_id", "recipient_id", "end_user_id", "to_address")
    kept = insert(former_mails).from_select(names, select(*(gone.c[name] for name in names)))
    # A failed mail may have been sent again after its first log was deleted.
    return kept.on_conflict_do_nothing().cte("readers_kept")


def _counted(gone: CTE) -> CTE:
    """Add the deleted mails to the counts of their steps."""
    key = ("org_id", "automation_id", "step_id")
    counts = select(*(gone.c[name] for name in key), *counts_of_mails(gone)).group_by(
        *(gone.c[name] for name in key)
    )
    table = cleared_mails
    added = insert(table).from_select((*key, *MAIL_COUNTS), counts, include_defaults=False)
    return added.on_conflict_do_update(
        index_elements=key,
        set_={name: table.c[name] + added.excluded[name] for name in MAIL_COUNTS},
    ).cte("counted")

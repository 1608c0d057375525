"""The statements that delete a page of old rows, one for each history (contract §24).

Each takes rows that nobody has locked, and so waits for nobody. Where an index leads with the age,
the oldest rows are taken; else the rows are walked through in order of their key, and a cursor says
how far. Keys are in order of arrival, so such a walk ends at the first row that is young enough.
Mails have a module of their own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Delete,
    Executable,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    true,
    tuple_,
)

from halo_engine.contacts.csv_import.uploads.rows import delete_old as delete_old_uploads
from halo_engine.domain.times.retention import History
from halo_engine.enrollment.first_recipients import count_cleared
from halo_engine.retention.mails import delete_mails
from halo_engine.retention.walking import Cursor, DeletesPage, Page
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    audit_log,
    automation_enrollments,
    automation_recipients,
    enrollment_refusals,
    events,
    idempotency_keys,
    signals,
    webhook_events,
)
from halo_engine.tables.enrollments import ACTIVE
from halo_engine.work import Work


class _Oldest:
    """Deletes the oldest rows of a table whose index leads with the age."""

    def __init__(self, table: Table, at: str, *also: ColumnElement[bool], key: str = "id") -> None:
        self.table = table
        self.at = table.c[at]
        self.also = also
        self.key = key

    def __call__(self, work: Work, cut: datetime, limit: int, _: Cursor) -> Page:
        deleted = work.connection.execute(_delete_oldest(work, self, cut, limit)).rowcount
        # There is no place to go on at: what was found is gone.
        return Page(deleted, 0 if deleted == limit else None)


_AUDIT: Final = _Oldest(audit_log, "at")


@statement("delete_oldest", oldest=_AUDIT)
def _delete_oldest(work: Work, oldest: _Oldest, cut: datetime, limit: int) -> Delete:
    table, key = oldest.table, oldest.key
    old = (
        select(table.c[key])
        .where(table.c.org_id == work.org_id, oldest.at < cut, *oldest.also)
        .order_by(oldest.at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    return delete(table).where(table.c.org_id == work.org_id, table.c[key].in_(select(old.c[key])))


def _delete_events(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Page:
    return _walked(work, _walk_events(work, cut, limit, cursor))


def _delete_steps(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Page:
    return _walked(work, _walk_steps(work, cut, limit, cursor))


def _walked(work: Work, walk: Executable) -> Page:
    last, is_young, deleted = work.connection.execute(walk).one()
    return Page(deleted, None if is_young else last)


@statement("delete_old_events", cursor=None)
def _walk_events(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Select[Any]:
    page = _page_of(work, events, limit, cursor)
    old = _held(work, events, page, cut)
    gone = (
        delete(events)
        .where(
            events.c.org_id == work.org_id,
            events.c.id == old.c.id,
            events.c.created_at == old.c.created_at,
        )
        .returning(events.c.id)
        .cte("gone")
    )
    return _said(page, gone, cut)


@statement("delete_old_steps", cursor=None)
def _walk_steps(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Select[Any]:
    """Delete the rows of runs that ended before the cut, and count them for the funnel."""
    rows, runs = automation_recipients, automation_enrollments
    page = _page_of(work, rows, limit, cursor)
    its_run = select(runs.c.number).where(
        runs.c.org_id == work.org_id,
        runs.c.automation_id == rows.c.automation_id,
        runs.c.end_user_id == rows.c.end_user_id,
        runs.c.number == rows.c.enrollment_number,
        runs.c.ended_at < cut,
    )
    old = _held(work, rows, page, cut, rows.c.status.not_in(ACTIVE), exists(its_run))
    gone = (
        delete(rows)
        .where(rows.c.org_id == work.org_id, rows.c.id == old.c.id)
        .returning(rows.c.id, rows.c.automation_id, rows.c.step_id, rows.c.status, rows.c.reason)
        .cte("gone")
    )
    return _said(page, gone, cut).add_cte(count_cleared(work.org_id, gone))


def _page_of(work: Work, table: Table, limit: int, cursor: Cursor) -> CTE:
    page = select(table.c.id, table.c.created_at).where(table.c.org_id == work.org_id)
    if cursor is not None:
        page = page.where(table.c.id > cursor)
    return page.order_by(table.c.id).limit(limit).cte("page")


def _held(work: Work, table: Table, page: CTE, cut: datetime, *also: ColumnElement[bool]) -> CTE:
    """Lock the old rows of a page, but for those that somebody else has locked."""
    return (
        select(table.c.id, table.c.created_at)
        .join_from(page, table, and_(table.c.id == page.c.id, table.c.org_id == work.org_id))
        .where(page.c.created_at < cut, table.c.created_at == page.c.created_at, *also)
        .with_for_update(of=table, skip_locked=True)
        .cte("old")
    )


def _said(page: CTE, gone: CTE, cut: datetime) -> Select[Any]:
    """Return the last row of the page, whether the walk ends there, and how many rows are gone."""
    is_young = func.coalesce(func.bool_or(page.c.created_at >= cut), True)
    deleted = select(func.count()).select_from(gone).scalar_subquery()
    return select(func.max(page.c.id), is_young, deleted).select_from(page)


def _delete_refusals(work: Work, cut: datetime, limit: int, cursor: Cursor) -> Page:
    walk = _walk_refusals(work, cut, limit, cursor)
    automation_id, contact_id, deleted = work.connection.execute(walk).one()
    return Page(deleted, None if automation_id is None else [str(automation_id), str(contact_id)])


@statement("delete_old_refusals", cursor=None)
def _walk_refusals(work: Work, cut: datetime, limit: int, cursor: Any) -> Select[Any]:
    """Delete refusals by the way: a contact has one in a series, so there are not ever more."""
    table = enrollment_refusals
    key = (table.c.automation_id, table.c.end_user_id)
    found = select(*key, table.c.refused_at).where(table.c.org_id == work.org_id)
    if cursor is not None:
        found = found.where(tuple_(*key) > tuple_(*(UUID(each) for each in cursor)))
    page = found.order_by(*key).limit(limit).cte("page")
    old = (
        select(*key)
        .join_from(
            page,
            table,
            and_(
                table.c.org_id == work.org_id,
                table.c.automation_id == page.c.automation_id,
                table.c.end_user_id == page.c.end_user_id,
            ),
        )
        .where(page.c.refused_at < cut, table.c.refused_at < cut)
        .with_for_update(of=table, skip_locked=True)
        .cte("old")
    )
    gone = (
        delete(table)
        .where(
            table.c.org_id == work.org_id,
            table.c.automation_id == old.c.automation_id,
            table.c.end_user_id == old.c.end_user_id,
        )
        .returning(table.c.automation_id)
        .cte("gone")
    )
    deleted = select(func.count()).select_from(gone).scalar_subquery()
    # A page that is not full is the last one.
    last = (
        select(page.c.automation_id, page.c.end_user_id)
        .order_by(page.c.automation_id, page.c.end_user_id)
        .offset(limit - 1)
        .limit(1)
        .subquery("last")
    )
    counted = select(deleted.label("deleted")).subquery("counted")
    return select(last.c.automation_id, last.c.end_user_id, counted.c.deleted).select_from(
        counted.outerjoin(last, true())
    )


def _delete_imports(work: Work, cut: datetime, _limit: int, _cursor: Cursor) -> Page:
    # There are few, and their pieces go with them.
    return Page(work.connection.execute(delete_old_uploads(work, cut)).rowcount, None)


#: A signal about everybody waits for an operator for good: a series may wait for it.
_OF_A_CONTACT: Final = and_(
    signals.c.parked_at.is_not(None),
    signals.c.retry_at.is_(None),
    signals.c.end_user_id.is_not(None),
)

#: How each history is deleted, in this order.
PAGES: Final[Mapping[History, DeletesPage]] = {
    History.SIGNALS: _Oldest(signals, "parked_at", _OF_A_CONTACT),
    History.EVENTS: _delete_events,
    History.STEPS: _delete_steps,
    History.MAILS: delete_mails,
    History.REFUSALS: _delete_refusals,
    History.AUDIT: _AUDIT,
    History.WEBHOOKS: _Oldest(webhook_events, "at"),
    History.IMPORTS: _delete_imports,
    History.KEYS: _Oldest(idempotency_keys, "created_at", key="key"),
}

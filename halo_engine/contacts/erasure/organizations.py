"""Erase an organisation with everything in it, page by page (contract §2)."""

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    Update,
    any_,
    delete,
    func,
    literal_column,
    select,
    update,
)

from halo_engine.domain.errors import conflict, shown
from halo_engine.domain.mail_tokens import KEY_BYTES as MAIL_KEY_BYTES
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.roles import Role
from halo_engine.series.locks import lock_series_for_change
from halo_engine.sql.planning import plan_without_values
from halo_engine.sql.statements import statement
from halo_engine.tables import OWNED, automations, end_users, moves, operator_keys, organizations
from halo_engine.work import Transact, Work

#: How many rows one transaction deletes when an organisation is erased.
PAGE: Final = 20_000

#: Tables that refer to others come first.
_TABLES: Final = [*reversed(OWNED)]

#: Deleted page by page. Keys stay to the end: an admin who is told to call again must be able to.
_IN_PAGES: Final = [table for table in _TABLES if table is not operator_keys]


def erase_organization(transact: Transact, page: int = PAGE) -> Iterator[int]:
    """Erase an organisation with everything in it, suppressions too; yield how many rows go.

    Each page of rows is a transaction. The first one ends the series and revokes widget keys,
    the tokens of sent mails, and all operator keys but admins', so that no call comes in any more.
    An erasure that was interrupted goes on when an admin calls it again; when the iterator ends,
    the organisation is gone, and its keys with it. Raises a 409 while it moves: a copy
    would stay.
    """
    transact(_close)
    for table in _IN_PAGES:
        while rows := transact(partial(_erase_page, table=table, most=page)):
            yield rows
    yield transact(_erase_rest)


def _close(work: Work) -> None:
    _require_that_it_stays(work)
    lock_series_for_change(work)
    work.connection.execute(_close_series(work))
    work.connection.execute(_revoke_operator_keys(work))
    widget_key, mail_key = (
        f"erased_{secrets.token_urlsafe(18)}",
        secrets.token_bytes(MAIL_KEY_BYTES),
    )
    work.connection.execute(_close_org(work, widget_key, mail_key))


def _require_that_it_stays(work: Work) -> None:
    cell = work.connection.scalar(_find_move(work))
    if cell is not None:
        key = work.org.key
        raise conflict(
            "move_under_way",
            f"Organisation {shown(key)} is on its way to the cell {shown(cell)}. Allowed is to"
            f" erase it once it is there, or once its move is taken back: halo org move {key} --to"
            f" {cell} --cancel.",
        )


@statement("find_move_that_was_begun")
def _find_move(work: Work) -> Select[Any]:
    is_begun = moves.c.state.in_(("leaving", "cancelled"))
    return select(moves.c.cell).where(moves.c.org_id == work.org_id, is_begun)


@statement("close_series")
def _close_series(work: Work) -> Update:
    return (
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.status != SeriesStatus.DRAFT)
        .values(status=SeriesStatus.COMPLETED)
    )


@statement("revoke_operator_keys")
def _revoke_operator_keys(work: Work) -> Update:
    return (
        update(operator_keys)
        .where(
            operator_keys.c.org_id == work.org_id,
            operator_keys.c.revoked_at.is_(None),
            operator_keys.c.role != Role.ADMIN,
        )
        .values(revoked_at=work.now)
    )


@statement("close_org")
def _close_org(work: Work, widget_key: str, mail_key: bytes) -> Update:
    return (
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(
            widget_key=widget_key,
            old_widget_key=None,
            identity_secret=None,
            stripe_endpoint_secret=None,
            old_stripe_endpoint_secret=None,
            mail_key=mail_key,
        )
    )


def _erase_page(work: Work, table: Table, most: int) -> int:
    """Delete some rows of a table; return how many there were."""
    # For the queries of foreign keys, which look for rows that refer to each deleted one.
    plan_without_values(work.connection)
    return work.connection.execute(_erasing_page(work, table, most)).rowcount


@statement("erase_page", table=end_users)
def _erasing_page(work: Work, table: Table, limit: int) -> Delete:
    row: ColumnElement[object] = literal_column("ctid")
    rows = select(row).select_from(table).where(table.c.org_id == work.org_id).limit(limit)
    # Two partitions may have rows in the same place: those of others stay.
    of_it = row == any_(func.array(rows.scalar_subquery()))
    return delete(table).where(of_it, table.c.org_id == work.org_id)


def _erase_rest(work: Work) -> int:
    """Delete the organisation, and the rows of calls that were under way when it was closed."""
    # Whoever writes a row of the organisation locks this one by a foreign key: no row comes later.
    work.connection.execute(_hold_org(work))
    _require_that_it_stays(work)
    late = [_erasing_all(work, table) for table in _TABLES]
    return sum(work.connection.execute(each).rowcount for each in (*late, _erasing_org(work)))


@statement("erase_table", table=end_users)
def _erasing_all(work: Work, table: Table) -> Delete:
    return delete(table).where(table.c.org_id == work.org_id)


@statement("erase_org")
def _erasing_org(work: Work) -> Delete:
    return delete(organizations).where(organizations.c.id == work.org_id)


@statement("hold_org")
def _hold_org(work: Work) -> Select[Any]:
    held = select(organizations.c.id).where(organizations.c.id == work.org_id)
    return held.with_for_update()

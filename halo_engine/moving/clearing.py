"""Delete an organisation's rows where it does not live: the old copy, or one that is taken back."""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Delete, Table, any_, delete, func, literal_column, select

from halo_engine.moving.places import Place
from halo_engine.moving.progress import Cleared, Tell
from halo_engine.moving.rows import forget_notes
from halo_engine.sql.statements import statement
from halo_engine.tables import OWNED, end_users, organizations

#: How many rows one transaction deletes.
_PAGE: Final = 20_000


def clear(place: Place, org_id: UUID, tell: Tell) -> None:
    """Delete all rows of the organisation, page by page."""
    rows = sum(clear_table(place, org_id, table) for table in reversed(OWNED))
    with place.transaction() as connection:
        forget_notes(connection, org_id)
    if rows:
        tell(Cleared(place.name, rows))


def clear_table(place: Place, org_id: UUID, table: Table) -> int:
    """Delete the organisation's rows of a table; return how many there were."""
    deleted = 0
    while True:
        # No cascade: what refers to these rows is deleted too, table by table.
        with place.transaction(as_replica=True) as connection:
            page = connection.execute(_clear_page(org_id, table, _PAGE)).rowcount
        deleted += page
        if page < _PAGE:
            return deleted


@statement("clear_page", table=end_users)
def _clear_page(org_id: UUID, table: Table, limit: int) -> Delete:
    row: ColumnElement[object] = literal_column("ctid")
    rows = select(row).select_from(table).where(table.c.org_id == org_id).limit(limit)
    # Numbers of rows repeat in the parts of a table, so the organisation is named twice.
    return delete(table).where(
        table.c.org_id == org_id, row == any_(func.array(rows.scalar_subquery()))
    )


def remove_organization(place: Place, org_id: UUID) -> None:
    """Delete the organisation's own row: from the commit on, calls do not find it here."""
    with place.transaction(as_replica=True) as connection:
        connection.execute(_remove_organization(org_id))


@statement("remove_organization")
def _remove_organization(org_id: UUID) -> Delete:
    return delete(organizations).where(organizations.c.id == org_id)

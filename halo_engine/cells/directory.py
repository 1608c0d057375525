"""The directory: the cells of an installation, and in which cell each organisation lives.

These statements run on a connection to the directory. Every change of it waits for the one before,
so that ``change`` grows in the order of the commits: who has read up to one misses none.
"""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    Text,
    Update,
    cast,
    delete,
    func,
    select,
    update,
)

from halo_engine.domain.errors import not_found
from halo_engine.domain.values import is_storable_text
from halo_engine.series.locks import DIRECTORY_LOCK
from halo_engine.sql.metadata import arrivals
from halo_engine.sql.statements import statement
from halo_engine.tables import cell_organizations, cells
from halo_engine.work import OrgRef

OPEN: Final = "open"
DRAINING: Final = "draining"


@dataclass(frozen=True, slots=True)
class Cell:
    """A database server by its name. ``state`` is ``open``, or ``draining`` where no organisation
    is made any more; ``most_organizations`` is the most that are made there.

    ``identity`` tells its database from all others, whatever the ``url``, which holds a password.
    """

    name: str
    url: str = field(repr=False)
    identity: str
    state: str
    most_organizations: int | None


class Home(NamedTuple):
    """Where an organisation lives, and the names by which calls find it; without an ``id`` it is
    being made there. ``change`` is higher with every change of the row.
    """

    key: str
    cell: str
    id: UUID | None
    widget_key: str | None
    old_widget_key: str | None
    change: int


def all_cells(connection: Connection) -> list[Cell]:
    """Return every cell, by name."""
    return [Cell(**row) for row in connection.execute(_read_cells()).mappings()]


@statement("read_cells")
def _read_cells() -> Select[Any]:
    return select(*_CELL).order_by(cells.c.name)


def cell_named(connection: Connection, name: str) -> Cell:
    """Return the cell of that name; raises a 404 where there is none."""
    found = is_storable_text(name) and connection.execute(_find_cell(name)).mappings().one_or_none()
    if not found:
        raise not_found("cell", name)
    return Cell(**found)


@statement("find_cell")
def _find_cell(cell: str) -> Select[Any]:
    return select(*_CELL).where(cells.c.name == cell)


def cell_of(connection: Connection, org_key: str) -> Cell:
    """Return the cell where an organisation lives; raises a 404 for an unknown one."""
    home = find_home(connection, OrgRef(key=org_key))
    if home is None:
        raise not_found("organisation", org_key)
    return cell_named(connection, home.cell)


def find_home(connection: Connection, org: OrgRef) -> Home | None:
    """Return where an organisation lives; None where the directory does not know it."""
    if org.id is not None:
        by: ColumnElement[bool] = cell_organizations.c.id == org.id
    else:
        name = org.key if org.key is not None else str(org.widget_key)
        if not is_storable_text(name):
            return None
        by = _is_called(name) if org.key is None else cell_organizations.c.key == name
    found = connection.execute(_find_home(by)).one_or_none()
    return Home(*found) if found else None


def _is_called(widget_key: str) -> ColumnElement[bool]:
    table = cell_organizations
    return (table.c.widget_key == widget_key) | (table.c.old_widget_key == widget_key)


@statement("find_home", by=cell_organizations.c.key == "org-key")
def _find_home(by: ColumnElement[bool]) -> Select[Any]:
    return select(*_HOME).where(by)


def homes_since(connection: Connection, change: int) -> list[Home]:
    """Return the organisations whose rows changed after that ``change``, in order; 0 for all."""
    return [Home(*row) for row in connection.execute(_read_homes(change))]


@statement("read_homes")
def _read_homes(since_change: int) -> Select[Any]:
    table = cell_organizations
    return select(*_HOME).where(table.c.change > since_change).order_by(table.c.change)


def set_cell(connection: Connection, org_id: UUID, cell_name: str) -> None:
    """Note that an organisation lives in that cell from now on.

    Raises a 404 for an unknown cell or organisation.
    """
    cell = cell_named(connection, cell_name)
    lock_directory(connection)
    if not connection.execute(_set_cell(org_id, cell.name)).rowcount:
        raise not_found("organisation", str(org_id))


@statement("set_cell")
def _set_cell(org_id: UUID, cell: str) -> Update:
    table = cell_organizations
    return update(table).where(table.c.id == org_id).values(cell=cell, change=NEXT_CHANGE)


def note_organization(
    connection: Connection, key: str, org_id: UUID, widget_key: str, old_widget_key: str | None
) -> None:
    """Note an organisation's id and the widget keys that work, where its key is known."""
    lock_directory(connection)
    connection.execute(_note_organization(key, org_id, widget_key, old_widget_key))


@statement("note_organization", old_widget_key="old-widget-key")
def _note_organization(
    org_key: str, org_id: UUID, widget_key: str, old_widget_key: str | None
) -> Update:
    table = cell_organizations
    return (
        update(table)
        .where(table.c.key == org_key)
        .values(
            id=org_id,
            widget_key=widget_key,
            old_widget_key=old_widget_key,
            change=NEXT_CHANGE,
        )
    )


def forget_organization(connection: Connection, key: str) -> None:
    """Forget an organisation that was erased, or was never made."""
    connection.execute(_forget_organization(key))


@statement("forget_organization")
def _forget_organization(org_key: str) -> Delete:
    return delete(cell_organizations).where(cell_organizations.c.key == org_key)


def lock_directory(connection: Connection) -> None:
    """Wait until no other transaction changes the directory; none does until this one ends."""
    connection.execute(_lock_directory())


@statement("lock_directory")
def _lock_directory() -> Select[Any]:
    return select(cast(func.pg_advisory_xact_lock(DIRECTORY_LOCK, 0), Text))


#: The next change, of a row that changes.
NEXT_CHANGE: Final = arrivals.next_value()
_CELL: Final = [cells.c[name] for name in Cell.__slots__]
_HOME: Final = [cell_organizations.c[name] for name in Home._fields]

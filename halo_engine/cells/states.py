"""Which cells take new organisations: drained ones do not; one without organisations may go."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Select, Update, delete, func, select, update

from halo_engine.cells.directory import Cell, all_cells, cell_named, lock_directory
from halo_engine.domain.errors import conflict, shown
from halo_engine.sql.statements import statement
from halo_engine.tables import cell_organizations, cells


class CellLoad(NamedTuple):
    """A cell, and how many organisations live there or are being made there."""

    cell: Cell
    organizations: int

    @property
    def is_full(self) -> bool:
        """Whether it has as many organisations as it may."""
        most = self.cell.most_organizations
        return most is not None and self.organizations >= most


def loads(connection: Connection) -> list[CellLoad]:
    """Return every cell with the number of its organisations, by name."""
    counted = connection.execute(_count_organizations())
    numbers = {cell: int(number) for cell, number in counted}
    return [CellLoad(each, numbers.get(each.name, 0)) for each in all_cells(connection)]


@statement("count_organizations_of_cells")
def _count_organizations() -> Select[Any]:
    table = cell_organizations
    return select(table.c.cell, func.count()).group_by(table.c.cell)


def set_state(connection: Connection, name: str, state: str) -> Cell:
    """Drain a cell (``draining``), or open it again (``open``); raises a 404 for an unknown one.

    What lives in a draining cell goes on; new organisations are made elsewhere.
    """
    lock_directory(connection)
    cell_named(connection, name)
    connection.execute(_set_state(name, state))
    return cell_named(connection, name)


@statement("set_cell_state", state="draining")
def _set_state(cell: str, state: str) -> Update:
    return update(cells).where(cells.c.name == cell).values(state=state)


def remove_cell(connection: Connection, name: str) -> Cell:
    """Remove a cell from the directory; its database stays as it is.

    Raises a 404 for an unknown one, a 409 while organisations live there.
    """
    lock_directory(connection)
    [load] = [each for each in loads(connection) if each.cell == cell_named(connection, name)]
    if load.organizations:
        problem = f"{load.organizations} organisations live in the cell {shown(name)}"
        raise conflict("cell_in_use", f"{problem}; allowed is a cell without any.")
    connection.execute(_remove_cell(name))
    return load.cell


@statement("remove_cell")
def _remove_cell(cell: str) -> Delete:
    return delete(cells).where(cells.c.name == cell)

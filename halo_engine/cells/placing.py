"""Make an organisation in one of the cells: the directory chooses it, and keeps the key.

The key is reserved first, then the organisation is made in its cell, then the directory gets its id
and widget key. If that is interrupted, the same call goes on where it ended.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Insert, Select, Text, cast, func, insert, select

from halo_engine.cells.directory import (
    OPEN,
    Cell,
    cell_named,
    find_home,
    lock_directory,
    note_organization,
)
from halo_engine.cells.states import CellLoad, loads
from halo_engine.domain.errors import conflict, shown
from halo_engine.domain.series.definition import check_key
from halo_engine.organizations.settings import OrganizationAnswer
from halo_engine.series.locks import KEY_LOCK
from halo_engine.sql.statements import statement
from halo_engine.tables import cell_organizations
from halo_engine.work import OrgRef


def create_in_cell(
    directory: sqlalchemy.Engine,
    key: str,
    cell_name: str | None,
    make: Callable[[Cell], OrganizationAnswer],
) -> OrganizationAnswer:
    """Make an organisation in the cell of that name, or in the open one with the fewest.

    ``make`` makes it there, or returns what an interrupted call made. Raises a 409 if the key is
    taken, or no cell takes the organisation; a 404 for an unknown cell.
    """
    check_key(key)
    with directory.begin() as connection:
        _reserve(connection, key, cell_name)
    with directory.begin() as connection:
        # Held until the end: another call for this key waits, and then finds it taken. The row is
        # not locked: a tick that changes it has the directory's lock, for which this waits below.
        connection.execute(_hold_key(key))
        home = find_home(connection, OrgRef(key=key))
        if home is None or home.id is not None:
            raise _taken(key)
        made = make(cell_named(connection, home.cell))
        note_organization(connection, key, made.id, made.widget_key, made.old_widget_key)
    return made


def _reserve(connection: Connection, key: str, cell_name: str | None) -> None:
    lock_directory(connection)
    home = find_home(connection, OrgRef(key=key))
    if home is None:
        connection.execute(_reserve_key(key, _chosen(connection, cell_name)))
    elif home.id is not None:
        raise _taken(key)
    elif cell_name not in (None, home.cell):
        problem = f"cell: {shown(key)} is being made in {shown(home.cell)}; allowed is that one"
        raise conflict("organisation_exists", f"{problem}.")


@statement("reserve_key")
def _reserve_key(org_key: str, cell: str) -> Insert:
    return insert(cell_organizations).values(key=org_key, cell=cell)


@statement("hold_key")
def _hold_key(org_key: str) -> Select[Any]:
    return select(cast(func.pg_advisory_xact_lock(KEY_LOCK, func.hashtext(org_key)), Text))


def _chosen(connection: Connection, cell_name: str | None) -> str:
    if cell_name is not None:
        named = cell_named(connection, cell_name)
        [load] = [each for each in loads(connection) if each.cell == named]
        return _open(load)
    fit = [each for each in loads(connection) if each.cell.state == OPEN and not each.is_full]
    if not fit:
        problem = "cell: no cell takes a new organisation: each is draining or full"
        raise conflict("no_open_cell", f"{problem}; add one, or open one again.")
    return min(fit, key=lambda each: (each.organizations, each.cell.name)).cell.name


def _open(load: CellLoad) -> str:
    name = shown(load.cell.name)
    if load.cell.state != OPEN:
        raise conflict("cell_draining", f"cell: {name} is draining; allowed is an open cell.")
    if load.is_full:
        most = f"{load.cell.most_organizations} organisations, the most it takes"
        raise conflict("cell_full", f"cell: {name} has {most}; allowed is a cell with room.")
    return load.cell.name


def _taken(key: str) -> Exception:
    return conflict("organisation_exists", f"There is an organisation {shown(key)} already.")

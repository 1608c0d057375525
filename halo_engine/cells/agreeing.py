"""Make the directory say what a cell says of its own organisations.

A widget key is rotated, and an organisation erased, in its cell alone. Each tick of the cell brings
that to the directory, and what an interrupted call left half done.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy
from sqlalchemy import Connection, Select, func, select

from halo_engine.cells.directory import (
    Home,
    forget_organization,
    homes_since,
    lock_directory,
    note_organization,
)
from halo_engine.cells.joining import adopt_organizations, read_own
from halo_engine.sql.statements import statement
from halo_engine.tables import moves


class _Own(NamedTuple):
    """What a cell's database says: the names of its organisations, and which are leaving it."""

    organizations: Sequence[Mapping[str, Any]]
    left: frozenset[UUID]


def agree(directory: sqlalchemy.Engine, cell: str, database: sqlalchemy.Engine) -> int:
    """Change the directory where it differs from the cell's ``database``; return how much."""
    with directory.connect() as connection:
        homes = homes_since(connection, 0)
    if not _differences(cell, homes, _read(database)):
        return 0
    with directory.begin() as connection:
        # The directory ends this session if the cell hangs now: others wait for the lock.
        connection.execute(_end_idle_session())
        lock_directory(connection)
        homes, own = homes_since(connection, 0), _read(database)
        found = _differences(cell, homes, own)
        _change(connection, cell, found, own.organizations)
    return len(found)


def _read(database: sqlalchemy.Engine) -> _Own:
    with database.connect() as connection:
        # In this order: one that leaves in between is in both.
        return _Own(read_own(connection), frozenset(connection.scalars(_read_left())))


@statement("read_left_organizations")
def _read_left() -> Select[Any]:
    is_open = (moves.c.state == "moved") & moves.c.finished_at.is_(None)
    return select(moves.c.org_id).where(is_open)


@statement("end_idle_session")
def _end_idle_session() -> Select[Any]:
    return select(func.set_config("idle_in_transaction_session_timeout", "5s", True))


def _differences(cell: str, homes: Sequence[Home], own: _Own) -> set[str]:
    """Return the keys of the organisations of the cell about which the directory is wrong.

    Those that other cells have are none: one that moves is in two cells for a while. Nor is one
    that has left and of which the directory is not told yet: its mover does that.
    """
    by_key = {each["key"]: each for each in own.organizations}
    ids = {home.id for home in homes}
    here = {home.key: home for home in homes if home.cell == cell}
    known = {home.key for home in homes}
    made = {key: home for key, home in here.items() if home.id is not None}
    gone = {key for key, home in made.items() if key not in by_key and home.id not in own.left}
    changed = {key for key, home in here.items() if key in by_key and _names(home) != by_key[key]}
    unknown = {key for key, its in by_key.items() if key not in known and its["id"] not in ids}
    return gone | changed | unknown


def _names(home: Home) -> dict[str, UUID | str | None]:
    return {name: getattr(home, name) for name in ("id", "key", "widget_key", "old_widget_key")}


def _change(
    connection: Connection, cell: str, keys: set[str], own: Sequence[Mapping[str, Any]]
) -> None:
    by_key = {each["key"]: each for each in own}
    known = {home.key for home in homes_since(connection, 0)}
    for key in sorted(keys & known):
        its = by_key.get(key)
        if its is None:
            forget_organization(connection, key)
        else:
            note_organization(connection, key, its["id"], its["widget_key"], its["old_widget_key"])
    new = [by_key[key] for key in sorted(keys - known)]
    if new:
        connection.execute(adopt_organizations(cell, new))

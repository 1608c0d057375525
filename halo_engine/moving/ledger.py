"""How far a move has come: the row of ``moves`` in each of its two databases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    Delete,
    Executable,
    Select,
    Update,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.sql.statements import statement
from halo_engine.tables import moves, organizations

LEAVING: Final = "leaving"
CANCELLED: Final = "cancelled"
MOVED: Final = "moved"
ARRIVING: Final = "arriving"


@dataclass(frozen=True, slots=True)
class Move:
    """One database's row of a move (``tables.moves``): ``cell`` is the other one's."""

    org_id: UUID
    org_key: str
    cell: str
    state: str
    copied: frozenset[str]
    organization: Mapping[str, Any] | None
    switched_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mover:
    """The organisation that moves."""

    id: UUID
    key: str


def find_mover(connection: Connection, org_key: str) -> Mover | None:
    """Return the organisation of that key, if it lives here or has left from here."""
    row = connection.execute(_find_mover(org_key)).first()
    row = row or connection.execute(_find_gone(org_key)).first()
    return Mover(row.id, org_key) if row else None


@statement("find_mover")
def _find_mover(org_key: str) -> Select[Any]:
    return select(organizations.c.id).where(organizations.c.key == org_key)


@statement("find_gone_mover")
def _find_gone(org_key: str) -> Select[Any]:
    gone = select(moves.c.org_id.label("id")).where(moves.c.org_key == org_key)
    return gone.order_by(moves.c.started_at.desc()).limit(1)


def move_of(connection: Connection, org_id: UUID) -> Move | None:
    """Return the move of an organisation in this database; None if there was none."""
    row = connection.execute(_read_move(org_id)).mappings().first()
    return Move(**{**row, "copied": frozenset(row["copied"])}) if row else None


@statement("read_move")
def _read_move(org_id: UUID) -> Select[Any]:
    return select(*[moves.c[name] for name in Move.__slots__]).where(moves.c.org_id == org_id)


def begin(connection: Connection, mover: Mover, cell: str, state: str) -> None:
    """Note that the organisation begins to leave for ``cell``, or to arrive from there."""
    connection.execute(_begin_move(mover.id, mover.key, cell, state))


@statement("begin_move", mover_state=LEAVING)
def _begin_move(org_id: UUID, org_key: str, cell: str, mover_state: str) -> Executable:
    made = insert(moves).values(
        org_id=org_id,
        org_key=org_key,
        cell=cell,
        state=mover_state,
        copied=[],
        started_at=func.clock_timestamp(),
    )
    names = ("cell", "state", "copied", "started_at", "organization", "switched_at", "finished_at")
    # It was here once, and comes or goes again.
    return made.on_conflict_do_update(
        index_elements=["org_id"], set_={name: made.excluded[name] for name in names}
    )


def note_copied(connection: Connection, org_id: UUID, table: str) -> None:
    """Note, with the rows of ``table``, that it has arrived whole."""
    connection.execute(_note_copied(org_id, table))


@statement("note_copied", table="end_users")
def _note_copied(org_id: UUID, table: str) -> Update:
    copied = func.array_append(moves.c.copied, table)
    return update(moves).where(moves.c.org_id == org_id).values(copied=copied)


def copy_again(connection: Connection, org_id: UUID, table: str) -> None:
    """Note that ``table`` has to be copied once more."""
    connection.execute(_copy_again(org_id, table))


@statement("copy_again", table="end_users")
def _copy_again(org_id: UUID, table: str) -> Update:
    copied = func.array_remove(moves.c.copied, table)
    return update(moves).where(moves.c.org_id == org_id).values(copied=copied)


def note_cancelled(connection: Connection, org_id: UUID) -> None:
    """Note that the copy is being taken back."""
    connection.execute(_note_cancelled(org_id))


@statement("note_move_cancelled")
def _note_cancelled(org_id: UUID) -> Update:
    leaves = (moves.c.org_id == org_id) & (moves.c.state == LEAVING)
    return update(moves).where(leaves).values(state=CANCELLED)


def note_moved(connection: Connection, org_id: UUID, organization: Mapping[str, Any]) -> None:
    """Note that the organisation lives in the other cell: from the commit on this is so.

    ``organization`` is its own row, which is kept here until it has arrived there.
    """
    connection.execute(_note_moved(org_id, organization))


@statement("note_moved", organization={"widget_key": "widget-key", "old_widget_key": None})
def _note_moved(org_id: UUID, organization: Mapping[str, Any]) -> Update:
    return (
        update(moves)
        .where(moves.c.org_id == org_id, moves.c.state == LEAVING)
        .values(
            state=MOVED,
            organization=organization,
            widget_key=organization["widget_key"],
            old_widget_key=organization["old_widget_key"],
            switched_at=func.clock_timestamp(),
        )
    )


def note_names(connection: Connection, org_id: UUID, organization: Mapping[str, Any]) -> None:
    """Note by which widget keys an organisation that is about to arrive will be called."""
    connection.execute(_note_names(org_id, organization))


@statement("note_names", organization={"widget_key": "widget-key", "old_widget_key": None})
def _note_names(org_id: UUID, organization: Mapping[str, Any]) -> Update:
    names = {name: organization[name] for name in ("widget_key", "old_widget_key")}
    return update(moves).where(moves.c.org_id == org_id).values(**names)


def note_finished(connection: Connection, org_id: UUID) -> None:
    """Note that nothing of the organisation is left here but where it went."""
    connection.execute(_note_finished(org_id))


@statement("note_move_finished")
def _note_finished(org_id: UUID) -> Update:
    finished = {"finished_at": func.clock_timestamp(), "organization": null(), "copied": []}
    return update(moves).where(moves.c.org_id == org_id).values(finished)


def forget(connection: Connection, org_id: UUID) -> None:
    """Delete the row: the organisation lives here, or never came."""
    connection.execute(_forget_move(org_id))


@statement("forget_move")
def _forget_move(org_id: UUID) -> Delete:
    return delete(moves).where(moves.c.org_id == org_id)

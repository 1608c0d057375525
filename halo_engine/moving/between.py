"""Between which cells an organisation moves, by the directory: where it lives, and where it is to.

The directory is told last. So a move that was cut short after that is still to be ended in the cell
that the organisation left, which is found by its own row.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine

from halo_engine.cells.directory import (
    OPEN,
    Cell,
    all_cells,
    cell_named,
    find_home,
    lock_directory,
    set_cell,
)
from halo_engine.cells.joining import adopt_organizations, read_own
from halo_engine.cells.states import loads
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, conflict, not_found, shown
from halo_engine.moving.checks import already_there
from halo_engine.moving.ledger import LEAVING, MOVED, Move, find_mover, move_of
from halo_engine.moving.places import Place, check_it_answers, opened
from halo_engine.work import OrgRef


class Between(NamedTuple):
    """A move's two databases; ``source`` is where the organisation lives, or lived last."""

    source: Place
    target: Place


@contextmanager
def between(directory: Engine, org_key: str, to: str) -> Iterator[Between]:
    """Open both databases of a move to the cell ``to``; nothing is written.

    Raises a 404 for an unknown organisation or cell, a 400 for a cell that does not answer, and a
    409 for a move to where the organisation is, or into a cell that takes none.
    """
    with directory.connect() as connection:
        target, home = cell_named(connection, to), find_home(connection, OrgRef(key=org_key))
        others = [each for each in all_cells(connection) if each.name != to]
        [load] = [each for each in loads(connection) if each.cell == target]
    with ExitStack() as stack:
        there = _reached(stack, target)
        if home is None or home.cell == to:
            left = _left(stack, others, org_key, to)
            if left is None:
                raise already_there(org_key, to) if home else not_found("organisation", org_key)
            yield Between(left, there)
            return
        [lives_in] = [each for each in others if each.name == home.cell]
        here = _reached(stack, lives_in)
        move = _move_in(here, org_key)
        if move is None or move.cell != to or move.state not in (LEAVING, MOVED):
            if target.state != OPEN:
                problem = f"to: {shown(to)} is draining; allowed is an open cell."
                raise conflict("cell_draining", problem)
            if load.is_full:
                most = f"{target.most_organizations} organisations, the most it takes"
                raise conflict("cell_full", f"to: {shown(to)} has {most}; allowed is another.")
        yield Between(here, there)


def note_cell(directory: Engine, org_id: UUID, cell: str) -> None:
    """Tell the directory where the organisation lives now."""
    run_in_transaction(directory, lambda connection: set_cell(connection, org_id, cell))


def adopt(directory: Engine, place: Place, org_id: UUID) -> None:
    """Tell the directory of an organisation that it may not know, with all its names."""
    with place.transaction() as connection:
        [names] = [each for each in read_own(connection) if each["id"] == org_id]

    def note(connection: Connection) -> None:
        lock_directory(connection)
        if find_home(connection, OrgRef(id=org_id)) is None:
            connection.execute(adopt_organizations(place.name, [names]))
        else:
            set_cell(connection, org_id, place.name)

    run_in_transaction(directory, note)


def _reached(stack: ExitStack, cell: Cell) -> Place:
    place = stack.enter_context(opened(cell.name, cell.url))
    check_it_answers(place, cell.url, "to")
    return place


def _move_in(place: Place, org_key: str) -> Move | None:
    with place.transaction() as connection:
        mover = find_mover(connection, org_key)
        return move_of(connection, mover.id) if mover else None


def _left(stack: ExitStack, others: list[Cell], org_key: str, to: str) -> Place | None:
    """Return the cell that the organisation has left for ``to``, and where rows are left.

    Raises a 400 if there is none among those that answer, and some do not.
    """
    silent: list[Refusal] = []
    for cell in others:
        try:
            place = _reached(stack, cell)
        except Refusal as refusal:
            silent.append(refusal)
            continue
        move = _move_in(place, org_key)
        is_left = move is not None and (move.state, move.cell) == (MOVED, to)
        if move is not None and is_left and move.finished_at is None:
            return place
    if silent:
        raise silent[0]
    return None

"""Whether an organisation is on its way into a cell, or out of it."""

from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from halo_engine.cells.asking import ask_each
from halo_engine.cells.directory import Cell, all_cells
from halo_engine.domain.errors import conflict, shown
from halo_engine.moving.places import opened
from halo_engine.sql.statements import statement
from halo_engine.tables import moves

#: In seconds: how long a cell may take to answer.
_PATIENCE: Final = 5.0


def require_no_move(directory: Connection, name: str) -> None:
    """Raise a 409 if a move into the cell ``name``, or out of it, is not over.

    Cells that do not answer are passed over: one that is gone for good has to go.
    """
    asked = {each.name: partial(_moves_in, each) for each in all_cells(directory)}
    for cell, found in ask_each(asked, _PATIENCE).items():
        for key, other in found or ():
            if name in (cell, other):
                raise conflict(
                    "cell_in_use",
                    f"{shown(key)} is on its way between the cells {shown(cell)} and"
                    f" {shown(other)}; allowed is a cell without moves. `halo org move` ends a"
                    " move, or takes it back.",
                )


def _moves_in(cell: Cell) -> list[tuple[str, str]]:
    """Return the organisations whose moves are not over in a cell, and the other cell of each."""
    with opened(cell.name, cell.url) as place, place.transaction() as connection:
        return [(row.org_key, row.cell) for row in connection.execute(_read_moves())]


@statement("read_moves_under_way")
def _read_moves() -> Select[Any]:
    under_way = select(moves.c.org_key, moves.c.cell).where(moves.c.finished_at.is_(None))
    return under_way.order_by(moves.c.org_key)

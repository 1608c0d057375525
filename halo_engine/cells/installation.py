"""What commands do to an installation that may have cells: make organisations, and tell of them."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from halo_engine.cells.agreeing import agree
from halo_engine.cells.asking import NOTHING_SAID, NoAnswer, ask_each
from halo_engine.cells.directory import Cell
from halo_engine.cells.engine import CellEngine
from halo_engine.cells.placing import create_in_cell
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.engine import Engine
from halo_engine.organizations.settings import OrganizationAnswer
from halo_engine.organizations.storing import find_organization

_Result = TypeVar("_Result")

#: In seconds: how long a cell may take for what a command does in each.
_PATIENCE: Final = 15.0


def make_in_cell(
    engine: Engine,
    key: str,
    cell: str | None,
    make: Callable[[Connection], OrganizationAnswer],
) -> OrganizationAnswer:
    """Make an organisation in the one database, or in a cell (``create_in_cell``).

    Raises a 400 where a cell is named and there is none.
    """
    if not isinstance(engine, CellEngine):
        if cell is not None:
            problem = "there are no cells; allowed is a cell where HALO_DIRECTORY_URL is set"
            raise bad_input("cell", problem)
        return run_in_transaction(engine.database, make)

    def made(chosen: Cell) -> OrganizationAnswer:
        database = engine.cells.engine(chosen.name).database
        try:
            return run_in_transaction(database, make)
        except Refusal as refusal:
            if refusal.code != "organisation_exists":
                raise
            # A call that was interrupted made it.
            return run_in_transaction(database, lambda found: find_organization(found, key))

    return create_in_cell(engine.cells.finder.directory.database, key, cell, made)


def in_each(engine: Engine, act: Callable[[Engine], _Result]) -> list[_Result]:
    """Do it in each cell, side by side, or in the one database; return what comes of each.

    Raises NoAnswer at the end if a cell does not answer.
    """
    if not isinstance(engine, CellEngine):
        return [act(engine)]
    found = try_each(engine, act)
    silent = {name: NOTHING_SAID for name, each in found.items() if each is None}
    if silent:
        raise NoAnswer(silent)
    return [each for each in found.values() if each is not None]


def try_each(engine: Engine, act: Callable[[Engine], _Result]) -> dict[str, _Result | None]:
    """Do it in each cell, side by side; return what came of each by name, None of one that does
    not answer.
    """
    if not isinstance(engine, CellEngine):
        return {"": act(engine)}
    return ask_each({name: partial(act, each) for name, each in engine.parts().items()}, _PATIENCE)


def tell_directory(engine: Engine) -> None:
    """Tell the directory at once what its cells say of their organisations, if there are cells."""
    if isinstance(engine, CellEngine):
        for name, part in engine.parts().items():
            agree(engine.cells.finder.directory.database, name, part.database)

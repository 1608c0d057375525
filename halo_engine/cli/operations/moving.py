"""`halo org move`: an organisation moves to another cell while it works (decision 71)."""

from uuid import UUID

import click
import sqlalchemy

from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.output import print_json
from halo_engine.database import create_engine
from halo_engine.moving.between import between, note_cell
from halo_engine.moving.move import cancel, move
from halo_engine.moving.progress import Step, Tell
from halo_engine.settings import load_settings


@click.command(name="move")
@click.argument("key")
@click.option("--to", "cell", required=True, metavar="CELL", help="The cell where it is to live.")
@click.option("--cancel", "takes_back", is_flag=True, help="Take back a move that was begun.")
@json_option
def move_command(key: str, cell: str, *, takes_back: bool, as_json: bool) -> None:
    """Move the organisation KEY to another cell while it works.

    Its calls wait for a moment at the end, its mail for a little longer. After an interruption the
    same command goes on; --cancel takes the move back until it lives in the new cell.
    """
    directory = create_engine(
        load_settings().required_directory_url(), application_name="halo-command"
    )
    try:
        with refusing(as_json):
            tell = _pass if as_json else _tell
            lives_there = _act(directory, key, cell, takes_back=takes_back, tell=tell)
    finally:
        directory.dispose()
    if as_json:
        print_json({"org": key, "cell": cell, "cancelled": takes_back})
    elif takes_back:
        click.echo(f"The move of {key} to {cell} is taken back.")
    elif lives_there:
        click.echo(f"{key} lives in {cell}.")
    else:
        click.echo(f"{key} does not live in {cell} any more; what its move had left is deleted.")


def _act(
    directory: sqlalchemy.Engine, key: str, cell: str, *, takes_back: bool, tell: Tell
) -> bool:
    """Return whether the organisation lives in the cell."""
    with between(directory, key, cell) as (source, target):
        if takes_back:
            cancel(source, target, key, tell=tell)
            return False

        def note(org_id: UUID) -> None:
            note_cell(directory, org_id, target.name)

        return move(source, target, key, tell=tell, note_cell=note)


def _pass(_: Step) -> None:
    """Tell nothing."""


def _tell(step: Step) -> None:
    click.echo(step, err=True)

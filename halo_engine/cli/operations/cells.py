"""`halo cells`: the database servers of an installation; each organisation lives in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import click
import sqlalchemy
from sqlalchemy import Connection

from halo_engine import migrate
from halo_engine.answers.operations.measures import backlog
from halo_engine.cells.asking import ask_each
from halo_engine.cells.changing import change_cell
from halo_engine.cells.directory import DRAINING, OPEN, Cell
from halo_engine.cells.joining import add_cell
from halo_engine.cells.states import CellLoad, loads, remove_cell, set_state
from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.output import print_json, print_table
from halo_engine.database import create_engine
from halo_engine.moving.under_way import require_no_move
from halo_engine.server_urls import masked
from halo_engine.settings import load_settings

#: In seconds: how long a cell may take to answer.
_PATIENCE: Final = 5.0


@click.group()
def cells() -> None:
    """Use several databases, and say how they are.

    They are called cells; each organisation lives in one. They are listed in the directory, the
    database that HALO_DIRECTORY_URL names.
    """


@contextmanager
def _changing() -> Iterator[Connection]:
    with _directory() as directory, directory.begin() as connection:
        yield connection


@contextmanager
def _directory() -> Iterator[sqlalchemy.Engine]:
    engine = create_engine(
        load_settings().required_directory_url(), application_name="halo-command"
    )
    try:
        yield engine
    finally:
        engine.dispose()


@cells.command()
@click.argument("name")
@click.argument("url")
@click.option("--most", type=click.IntRange(min=1), help="The most organisations made there.")
@json_option
def add(name: str, url: str, as_json: bool, most: int | None) -> None:
    """Add the database at URL as the cell NAME.

    The organisations that are there come with it. Its schema has to be this version's: run `halo
    migrate` with HALO_DATABASE_URL on it first.
    """
    with refusing(as_json):
        with _changing() as connection:
            added = add_cell(connection, name, url, most)
            [load] = [each for each in loads(connection) if each.cell == added]
        _say(added, as_json, f"{name} is a cell, with {_number(load.organizations)}.")


@cells.command(name="list")
@json_option
def list_command(as_json: bool) -> None:
    """List the cells: their state, their schema, and what waits there."""
    with _directory() as directory, directory.connect() as connection:
        found = loads(connection)
    asked = ask_each({each.cell.name: partial(_look, each.cell.url) for each in found}, _PATIENCE)
    rows = [_row(each, asked[each.cell.name]) for each in found]
    if as_json:
        print_json(rows)
        return
    print_table(_COLUMNS, [tuple(row.values()) for row in rows], numbers=("organisations",))


_COLUMNS: Final = (
    *("cell", "state", "organisations", "at most", "answers", "schema", "due rows", "database"),
)


def _look(url: str) -> tuple[str | None, int | None]:
    """Return the schema of a cell, and how many rows are due there, if it is this version's."""
    engine = create_engine(url, application_name="halo-command", pool_size=1)
    try:
        with engine.connect() as connection:
            schema = migrate.revision_of(connection)
            is_ours = schema == migrate.head_revision()
            return schema, backlog(connection).due_rows if is_ours else None
    finally:
        engine.dispose()


def _row(load: CellLoad, asked: tuple[str | None, int | None] | None) -> dict[str, Any]:
    schema, due = asked or (None, None)
    return {
        "cell": load.cell.name,
        "state": load.cell.state,
        "organizations": load.organizations,
        "most_organizations": load.cell.most_organizations,
        "answers": asked is not None,
        "schema": schema,
        "due_rows": due,
        "database": masked(load.cell.url),
    }


@cells.command()
@click.argument("name")
@json_option
def drain(name: str, as_json: bool) -> None:
    """Make no new organisation in the cell NAME; the others go on."""
    _set_state(name, DRAINING, as_json, f"{name} takes no new organisation.")


@cells.command(name="open")
@click.argument("name")
@json_option
def open_command(name: str, as_json: bool) -> None:
    """Let the cell NAME take new organisations again."""
    _set_state(name, OPEN, as_json, f"{name} takes new organisations.")


def _set_state(name: str, state: str, as_json: bool, said: str) -> None:
    with refusing(as_json):
        with _changing() as connection:
            cell = set_state(connection, name, state)
        _say(cell, as_json, said)


@cells.command()
@click.argument("name")
@click.option("--url", metavar="URL", required=True, help="Where its database is now.")
@click.option("--restored", "is_restored", is_flag=True, help="It is a backup of the database.")
@json_option
def change(name: str, url: str, as_json: bool, *, is_restored: bool) -> None:
    """Give the cell NAME another URL: host, account or password.

    It has to be the same database, or with --restored one that was restored from a backup of it.
    """
    with refusing(as_json):
        with _changing() as connection:
            changed, lacking = change_cell(connection, name, url, is_restored=is_restored)
        _say(changed, as_json, f"{name} has another URL. Start its workers and beat with it.")
    if lacking and not as_json:
        click.echo(f"Not in this database, and soon forgotten: {', '.join(lacking)}")


@cells.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Remove the cell NAME, where no organisation lives.

    Its database stays as it is.
    """
    with refusing(as_json):
        with _changing() as connection:
            require_no_move(connection, name)
            removed = remove_cell(connection, name)
        _say(removed, as_json, f"{name} is no cell any more.")


def _say(cell: Cell, as_json: bool, said: str) -> None:
    if as_json:
        print_json({"cell": cell.name, "state": cell.state, "database": masked(cell.url)})
    else:
        click.echo(said)


def _number(organizations: int) -> str:
    return "one organisation" if organizations == 1 else f"{organizations} organisations"

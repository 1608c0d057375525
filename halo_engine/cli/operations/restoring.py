"""`halo restore`: what a database that was restored would send again (decision 75)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import click
from sqlalchemy import Engine

from halo_engine.cells.directory import cell_named
from halo_engine.cells.engine import no_database
from halo_engine.cli.context import json_option, refusing
from halo_engine.cli.output import print_json
from halo_engine.database import create_engine, run_in_transaction
from halo_engine.domain.errors import bad_input
from halo_engine.domain.times.instants import format_instant
from halo_engine.moving.between import adopt
from halo_engine.moving.move import move
from halo_engine.moving.places import Place, check_it_answers, opened
from halo_engine.moving.progress import Step, Tell
from halo_engine.restoring.check import Checked, check
from halo_engine.restoring.fates import Fate
from halo_engine.restoring.lists import read_lists
from halo_engine.server_urls import read_database_url
from halo_engine.settings import load_settings

#: Names of no cells: calls of an organisation that is on its way are not sent there.
_RESTORED: Final = "(restored)"
_LIVE: Final = "(live)"


@click.group(name="restore")
def restore() -> None:
    """Tell a restored database which mails went out since its backup."""


@restore.command(name="check")
@click.option(
    "--sent",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A file that HALO_SENT_LOG names, or a provider's list; may be given several times.",
)
@click.option("--apply", is_flag=True, help="Write it into the database: none goes out again.")
@json_option
def check_command(files: tuple[Path, ...], *, apply: bool, as_json: bool) -> None:
    """Say which mails of the files would go out again.

    With --apply it writes into the database, that of HALO_DATABASE_URL, that they went out; without
    it nothing. Run it while no worker runs, or mail is stopped. Without --apply it exits 1 if mails
    would go out again.
    """
    with refusing(as_json), _one_database() as database:
        lists = read_lists(files)
        checked = run_in_transaction(
            database, lambda connection: check(connection, lists, apply=apply)
        )
    if as_json:
        print_json(checked)
    else:
        _draw(checked)
    if not apply and (checked.mails[Fate.AGAIN] or checked.mails[Fate.OPEN]):
        raise SystemExit(1)


@contextmanager
def _one_database() -> Iterator[Engine]:
    """Connect to the database of HALO_DATABASE_URL, where no directory says that it is a cell."""
    settings = load_settings()
    if settings.directory_url is not None:
        yield no_database()
        return
    with _database(settings.required_database_url()) as database:
        yield database


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    database = create_engine(url, application_name="halo-command")
    try:
        yield database
    finally:
        database.dispose()


@restore.command(name="org")
@click.argument("key")
@click.option("--from", "url", metavar="URL", required=True, help="The restored database.")
@click.option(
    "--to", "cell", metavar="CELL", help="The cell where it is to live, if there are any."
)
@json_option
def org_command(key: str, url: str, cell: str | None, *, as_json: bool) -> None:
    """Bring the organisation KEY back from a restored database.

    It comes into the database of HALO_DATABASE_URL, or into the cell that --to names. It must not
    be there any more: erase it first. Its rows go from the restored database once they are there;
    after an interruption the same command goes on.
    """
    with refusing(as_json):
        try:
            url = read_database_url(url)
        except ValueError as error:
            raise bad_input("from", str(error), "bad_url") from None
        tell = _pass if as_json else _tell
        with opened(_RESTORED, url) as source:
            check_it_answers(source, url, "from")
            if cell is None:
                here = load_settings().required_database_url()
                with opened(_LIVE, here) as target:
                    is_here = move(source, target, key, tell=tell)
            else:
                is_here = _bring_into(cell, source, key, tell)
    if as_json:
        print_json({"org": key})
    elif is_here:
        click.echo(f"{key} is here again.")
    else:
        click.echo(f"{key} was here, and is no more; what was left in the other is deleted.")


def _bring_into(cell: str, source: Place, key: str, tell: Tell) -> bool:
    with _database(load_settings().required_directory_url()) as directory:
        with directory.connect() as connection:
            found = cell_named(connection, cell)
        with opened(cell, found.url) as target:
            check_it_answers(target, found.url, "to")
            note = partial(adopt, directory, target)
            return move(source, target, key, tell=tell, note_cell=note)


def _pass(_: Step) -> None:
    """Tell nothing."""


def _tell(step: Step) -> None:
    click.echo(step, err=True)


_WORDS = {
    Fate.KNOWN: "are known",
    Fate.OPEN: "have an intent and no outcome",
    Fate.AGAIN: "would go out again",
    Fate.NOBODY: "went to contacts, or are of steps, that are not here",
    Fate.ELSEWHERE: "are of organisations that are not here",
}


def _draw(checked: Checked) -> None:
    if checked.known_until is not None:
        click.echo(f"The database knows what happened until {format_instant(checked.known_until)}.")
    if checked.sent_until is not None:
        click.echo(f"The last mail of the files is of {format_instant(checked.sent_until)}.")
    for fate, count in checked.mails.items():
        click.echo(f"{count:>8} {_WORDS[fate]}")
    if checked.addresses_unsure:
        click.echo(
            f"{checked.addresses_unsure} contacts got mail that the database does not know. Whether"
            " they unsubscribed, bounced or complained since, it cannot know either."
        )
    if checked.mails[Fate.NOBODY]:
        click.echo("Whoever is not here gets the mail again when their application names them.")
    if checked.applied:
        click.echo("What was missing is written. Start mail when you are ready: halo sending start")
    elif checked.mails[Fate.AGAIN] or checked.mails[Fate.OPEN]:
        click.echo("Nothing was written. --apply writes that these mails were sent.")

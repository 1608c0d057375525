"""What `halo migrate` and `halo doctor` do about cells."""

from collections.abc import Iterator
from functools import partial

import click

from halo_engine import migrate
from halo_engine.cells.asking import ask_each
from halo_engine.cells.directory import Cell
from halo_engine.cells.joining import identity_at
from halo_engine.cells.known import cells_at
from halo_engine.server_urls import masked
from halo_engine.settings import Settings

from .findings import Finding


def migrate_cells(settings: Settings) -> bool:
    """Migrate the directory, then each cell; say what comes of each, and return whether all did."""
    directory_url = settings.required_directory_url()
    click.echo(f"directory: {_migrated(directory_url)}")
    urls = {name: each.url for name, each in cells_at(directory_url).items()}
    if settings.database_url not in (None, directory_url, *urls.values()):
        # One that is to become a cell.
        click.echo(f"database: {_migrated(settings.required_database_url())}")
    answers = ask_each({name: partial(migrate.current_and_head, url) for name, url in urls.items()})
    for name, answer in answers.items():
        said = "it does not answer" if answer is None else _migrated(urls[name])
        click.echo(f"cell {name}: {said}")
    return None not in answers.values()


def _migrated(url: str) -> str:
    before, head = migrate.current_and_head(url)
    migrate.upgrade(url)
    return f"at {head} already" if before == head else f"{before or 'nothing'} -> {head}"


def examine_cells(settings: Settings) -> Iterator[Finding]:
    """Check the directory, each cell, and that HALO_CELL is the cell of HALO_DATABASE_URL."""
    url = settings.required_directory_url()
    cells = ask_each({"": partial(cells_at, url)})[""]
    if cells is None:
        said = f"{masked(url)} does not answer, or was never migrated"
        remedy = "Start the server, run `halo migrate`, or correct HALO_DIRECTORY_URL."
        yield Finding("directory", "wrong", said, remedy)
        return
    yield Finding("directory", "ok", masked(url))
    if not cells:
        yield Finding("cells", "wrong", "the directory knows none", "Run `halo cells add`.")
    asked = {name: partial(_look, each.url) for name, each in cells.items()}
    for name, answer in ask_each(asked).items():
        yield _cell(cells[name], answer)
    if settings.cell is not None and settings.cell not in cells:
        said = f"HALO_CELL is {settings.cell}, which is none of {', '.join(cells)}"
        yield Finding("cell", "wrong", said, "Correct it, or run `halo cells add`.")
    elif settings.cell is not None and settings.database_url is not None:
        yield from _own_database(cells[settings.cell], settings.database_url)


def _look(url: str) -> tuple[str, str | None, str | None]:
    return (identity_at(url), *migrate.current_and_head(url))


def _cell(cell: Cell, answer: tuple[str, str | None, str | None] | None) -> Finding:
    where = masked(cell.url)
    if answer is None:
        remedy = "Start the server; the other cells go on meanwhile."
        return Finding(f"cell {cell.name}", "wrong", f"{where} does not answer", remedy)
    identity, current, head = answer
    if identity != cell.identity:
        remedy = "Have its URL lead to the database that was added."
        return Finding(f"cell {cell.name}", "wrong", f"{where} is another database", remedy)
    if current != head:
        said = f"{where} is at {current or 'nothing'}, this code needs {head}"
        return Finding(f"cell {cell.name}", "wrong", said, "Run `halo migrate`.")
    return Finding(f"cell {cell.name}", "ok", f"{cell.state}, {where}")


def _own_database(cell: Cell, url: str) -> Iterator[Finding]:
    identity = ask_each({"": partial(identity_at, url)})[""]
    if identity is not None and identity != cell.identity:
        said = f"HALO_DATABASE_URL is not the database of the cell {cell.name}, HALO_CELL"
        yield Finding("cell", "wrong", said, "Correct one of the two.")

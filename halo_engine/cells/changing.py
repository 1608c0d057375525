"""Let a cell have another URL, or a database that was restored in place of its own."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Update, update

from halo_engine.cells.directory import Cell, all_cells, cell_named, homes_since, lock_directory
from halo_engine.cells.joining import Found, look
from halo_engine.domain.errors import conflict, shown
from halo_engine.sql.statements import statement
from halo_engine.tables import cells

#: A refusal names so many organisations.
_MOST_NAMED: Final = 10


def change_cell(
    connection: Connection, name: str, url: str, *, is_restored: bool = False
) -> tuple[Cell, Sequence[str]]:
    """Let the database at ``url`` be the cell ``name``; return the cell, and what it lacks.

    It has to be the database that the cell has already, unless ``is_restored``: a backup of it.
    What it lacks are the keys of organisations that came after the backup: the next tick of the
    cell forgets them. Raises a 400 for a bad URL and for a database that does not answer, a 404 for
    an unknown cell, and a 409 for another schema, another database, and for organisations there
    that live in other cells by now.
    """
    cell_named(connection, name)
    url, found = look(url)
    lock_directory(connection)
    before = cell_named(connection, name)
    for each in all_cells(connection):
        if each.identity == found.identity and each.name != name:
            raise conflict("cell_exists", f"url: this database is the cell {shown(each.name)}.")
    if found.identity != before.identity and not is_restored:
        problem = f"url: it is not the database of the cell {shown(name)}"
        allowed = "with --restored a backup of it"
        raise conflict("other_database", f"{problem}; allowed is that one, and {allowed}.")
    lacking = _compare(connection, name, found)
    connection.execute(_change_cell(name, url, found.identity))
    return cell_named(connection, name), lacking


def _compare(connection: Connection, cell: str, found: Found) -> Sequence[str]:
    """Return the keys of the cell's organisations that are not in the database; raises a 409 for
    those in it that live elsewhere.
    """
    homes = [home for home in homes_since(connection, 0) if home.id is not None]
    elsewhere = {home.id: home.cell for home in homes if home.cell != cell}
    twice = [each for each in found.organizations if each["id"] in elsewhere]
    if twice:
        some = ", ".join(
            f"{shown(each['key'])} ({elsewhere[each['id']]})" for each in twice[:_MOST_NAMED]
        )
        rest = ", …" if twice[_MOST_NAMED:] else ""
        raise conflict(
            "organisation_exists",
            f"url: organisations there live in other cells by now: {some}{rest}. Allowed is a"
            " database without them: erase each there, with HALO_DATABASE_URL naming it and"
            " HALO_DIRECTORY_URL unset.",
        )
    own = {each["id"] for each in found.organizations}
    return [home.key for home in homes if home.cell == cell and home.id not in own]


@statement("change_cell", url="url", identity="identity")
def _change_cell(cell: str, url: str, identity: str) -> Update:
    return update(cells).where(cells.c.name == cell).values(url=url, identity=identity)

"""Add a database to an installation as a cell, with the organisations that are there already."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Executable, Select, Text, insert, literal, select, text
from sqlalchemy.exc import DBAPIError

from halo_engine import migrate
from halo_engine.cells.directory import OPEN, Cell, all_cells, cell_named, lock_directory
from halo_engine.database import create_engine
from halo_engine.domain.cell_names import ALLOWED, is_cell_name
from halo_engine.domain.errors import bad_input, conflict, shown
from halo_engine.server_urls import masked, one_line, read_database_url
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import named, statement
from halo_engine.tables import cell_organizations, cells, organizations

#: The columns by which calls name an organisation; the directory has the same.
NAMES: Final = ("id", "key", "widget_key", "old_widget_key")
#: A refusal names so many organisations.
_MOST_NAMED: Final = 10
#: Tells a database from all others, however many names its server has: the number that ``initdb``
#: gave the server, which copies of its files share, and the database's own.
_IDENTITY: Final = named(
    "read_database_identity",
    text(
        "SELECT system_identifier || ':' || (SELECT oid FROM pg_database"
        " WHERE datname = current_database()) FROM pg_control_system()"
    ),
)


class Found(NamedTuple):
    """What a database says of itself."""

    identity: str
    organizations: Sequence[Mapping[str, Any]]


def add_cell(
    connection: Connection, name: str, url: str, most_organizations: int | None = None
) -> Cell:
    """Add the database at ``url`` to the directory, with the organisations that are there already.

    Raises a 400 for a bad name or URL and for a database that does not answer; a 409 for one of
    another schema, a name or a database that is a cell already, and organisations that another cell
    has.
    """
    if not is_cell_name(name):
        raise bad_input("name", f"{shown(name)} names no cell; allowed are {ALLOWED}", "bad_name")
    url, found = look(url)
    lock_directory(connection)
    for each in all_cells(connection):
        if each.name == name:
            raise conflict("cell_exists", f"name: there is a cell {shown(name)} already.")
        if each.identity == found.identity:
            problem = f"url: this database is the cell {shown(each.name)} already"
            raise conflict("cell_exists", f"{problem}; allowed is one that is no cell.")
    row = {"name": name, "url": url, "identity": found.identity, "state": OPEN}
    connection.execute(_add_cell({**row, "most_organizations": most_organizations}))
    _adopt(connection, name, found.organizations)
    return cell_named(connection, name)


def look(url: str) -> tuple[str, Found]:
    """Return a database's URL as it is used, and what the database says of itself.

    Raises a 400 for a bad URL and if it does not answer, a 409 if its schema is another one.
    """
    try:
        url = read_database_url(url)
    except ValueError as error:
        raise bad_input("url", str(error), "bad_url") from None
    engine = create_engine(url, application_name="halo-cells", pool_size=1)
    try:
        with engine.connect() as connection:
            current, head = migrate.revision_of(connection), migrate.head_revision()
            if current != head:
                problem = f"its schema is at {current or 'nothing'}, this code needs {head}"
                allowed = "run `halo migrate` with HALO_DATABASE_URL on that database"
                raise conflict("cell_schema", f"url: {masked(url)}: {problem}; {allowed}.")
            identity = str(connection.scalar(_IDENTITY))
            return url, Found(identity, read_own(connection))
    except DBAPIError as error:
        said = f"{masked(url)} does not answer: {one_line(error.orig or error, url)}"
        raise bad_input("url", f"{said}; allowed is a database that does", "cell_away") from None
    finally:
        engine.dispose()


def identity_at(url: str) -> str:
    """Return what tells the database at a URL from all others."""
    engine = create_engine(url, application_name="halo-cells", pool_size=1)
    try:
        with engine.connect() as connection:
            return str(connection.scalar(_IDENTITY))
    finally:
        engine.dispose()


def read_own(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """Return the names of all organisations in a cell's own database."""
    return [dict(row) for row in connection.execute(_read_own_organizations()).mappings()]


@statement("read_own_organizations")
def _read_own_organizations() -> Select[Any]:
    return select(*[organizations.c[name] for name in NAMES]).order_by(organizations.c.key)


def _adopt(connection: Connection, cell: str, found: Sequence[Mapping[str, Any]]) -> None:
    keys = [each["key"] for each in found]
    taken = sorted(connection.scalars(_find_taken(keys)))
    if taken:
        some = ", ".join(map(shown, taken[:_MOST_NAMED])) + (", …" if taken[_MOST_NAMED:] else "")
        problem = f"url: organisations there are in another cell already: {some}"
        raise conflict("organisation_exists", f"{problem}; allowed are keys that no cell has.")
    if found:
        connection.execute(adopt_organizations(cell, found))


@statement("find_taken_keys", org_keys=["org-key"])
def _find_taken(org_keys: Sequence[str]) -> Select[Any]:
    asked = rows_of("asked", {"key": (Text(), org_keys)})
    return select(cell_organizations.c.key).where(cell_organizations.c.key == asked.c.key)


@statement("adopt_organizations", found=[dict.fromkeys(NAMES)])
def adopt_organizations(cell: str, found: Sequence[Mapping[str, Any]]) -> Executable:
    """Note organisations that live in a cell, with all their names."""
    types = {name: organizations.c[name].type for name in NAMES}
    columns = {name: (types[name], [each[name] for each in found]) for name in NAMES}
    given = rows_of("given", columns)
    rows = select(literal(cell), *[given.c[name] for name in NAMES])
    return insert(cell_organizations).from_select(["cell", *NAMES], rows)


@statement("add_cell", row={"name": "cell-name", "url": "url", "identity": "identity"})
def _add_cell(row: Mapping[str, Any]) -> Executable:
    return insert(cells).values(row)

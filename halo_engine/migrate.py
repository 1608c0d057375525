"""Migrate a database's schema to this code's version, and tell which version it has."""

# ruff: noqa: PLC0415 -- Alembic is a tenth of what a command imports, and most commands migrate nothing.

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, NullPool, Select, Text, create_engine, func, literal, select
from sqlalchemy.exc import DBAPIError

from halo_engine.database import sqlstate
from halo_engine.settings import ConfigurationError
from halo_engine.sql.statements import statement

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

#: The message for a table or a column that is missing.
OF_ANOTHER_SCHEMA = "The database's schema is not this version's: run `halo migrate`."

#: The message for a database whose ``lower`` would keep two spellings of an address apart.
LOWERS_OTHERWISE = (
    "the database's locale has other small letters than Unicode: a bounced INFO@… or …@MÜNCHEN.…"
    " would stay another address than info@… or …@münchen.…"
)
WITH_A_LOCALE = (
    "Create it with LOCALE 'C.UTF-8' or 'en_US.UTF-8' (TEMPLATE template0 ENCODING 'UTF8')."
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÉÑÖÜØŁŠŽÞΓΩЖЯ"

_NO_SUCH_TABLE_OR_COLUMN = frozenset({"42P01", "42703"})

_BESIDE = Path(__file__).resolve().parent.parent
#: A wheel installs the clone's folder under a name of its own.
_FOLDERS = [_BESIDE / name for name in ("halo_migrations", "migrations")]
_FOLDER = next((folder for folder in _FOLDERS if folder.exists()), _FOLDERS[0])


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database up to `revision`; nothing happens when it is there already.

    Two migrations at once wait for each other. Raises the database's errors
    (sqlalchemy.exc.DBAPIError), and ConfigurationError for a schema that this code does not know,
    and for an empty database whose locale lowers letters differently from Unicode.
    """
    with create_engine(url, poolclass=NullPool).connect() as connection:
        current, head = revision_of(connection), head_revision()
        if current is None and not lowers_letters(connection):
            raise ConfigurationError(f"{LOWERS_OTHERWISE}. {WITH_A_LOCALE}")
    if current is not None and not knows(current):
        raise ConfigurationError(
            f"the database's schema is at {current}, which this code does not know (it has {head});"
            " name another database, or run the version that made it"
        )
    from alembic import command

    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Migrate the database down to `revision`; `base` removes every table."""
    from alembic import command

    command.downgrade(_config(url), revision)


def revision_of(connection: Connection) -> str | None:
    """The revision that the connected database is at; None when it was never migrated."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The revision that this code expects; None while there is none."""
    return _scripts().get_current_head()


def knows(revision: str) -> bool:
    """Whether this code has the revision in its history."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def lowers_letters(connection: Connection) -> bool:
    """Whether the database's ``lower`` is Unicode's: addresses are compared in lower case."""
    return bool(connection.scalar(_check_lowers_letters()))


@statement("check_lowers_letters")
def _check_lowers_letters() -> Select[Any]:
    lowered = func.lower(literal(_LETTERS, Text)) == literal(_LETTERS.lower(), Text)
    return select(lowered)


def current_and_head(url: str) -> tuple[str | None, str | None]:
    """The revision that the database at `url` is at, and the one that this code expects."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return revision_of(connection), head_revision()


def is_of_another_schema(error: DBAPIError) -> bool:
    """Whether the error says that the database is empty, or of another version."""
    return sqlstate(error) in _NO_SUCH_TABLE_OR_COLUMN


def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config(url: str | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config

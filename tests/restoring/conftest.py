"""A database with a past, and a backup of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy

from halo_engine import database as halo_database
from tests.cells.conftest import two
from tests.conftest import clone_of
from tests.restoring.ground import Drill

__all__ = ["two"]


@pytest.fixture
def drill(database: sqlalchemy.Engine, tmp_path: Path) -> Drill:
    """Three users have had the first mail."""
    return Drill(database, tmp_path / "sent.log")


@pytest.fixture
def back_up(
    database: sqlalchemy.Engine, administrate: Callable[[str], None]
) -> Iterator[Callable[[], sqlalchemy.Engine]]:
    """Copy the database as it is now; the copy is what a backup restores."""
    name = f"{database.url.database}_restored"
    made: list[sqlalchemy.Engine] = []

    def copy() -> sqlalchemy.Engine:
        database.dispose()
        administrate(f"CREATE DATABASE {name} {clone_of(str(database.url.database))}")
        url = database.url.set(database=name).render_as_string(hide_password=False)
        made.append(halo_database.create_engine(url))
        return made[0]

    yield copy
    for each in made:
        each.dispose()
    administrate(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

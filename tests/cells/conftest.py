"""An installation of two cells, with the directory in the first."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.cli.console import Console

#: The command, and the databases of the cells `a` and `b`.
Two = tuple[Console, Engine, Engine]


def url_of(database: Engine) -> str:
    """Return the URL of a database."""
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
def two(new_database: Callable[[], Engine], broker_url: str, tmp_path: Path) -> Two:
    """The command on an installation with the cells `a` and `b`, and their databases."""
    a, b = new_database(), new_database()
    halo = Console(a, broker_url, tmp_path, HALO_DIRECTORY_URL=url_of(a))
    for name, each in (("a", a), ("b", b)):
        halo("cells", "add", name, url_of(each))
    return halo, a, b

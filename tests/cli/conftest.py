"""The `halo` command on a database of the test's own."""

from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.cli.console import Console

_numbers = count(1)


@pytest.fixture
def bare(database: Engine, broker_url: str, tmp_path: Path) -> Console:
    """The command on a migrated database without an organisation, in a folder of its own."""
    return Console(database, broker_url, tmp_path)


@pytest.fixture
def halo(shared_database: Engine, broker_url: str, tmp_path: Path) -> Console:
    """The command in an organisation of the test's own, which HALO_ORG names."""
    console = Console(shared_database, broker_url, tmp_path, HALO_ORG=f"acme-{next(_numbers)}")
    console("org", "create", console.org)
    return console

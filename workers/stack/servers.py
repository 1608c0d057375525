"""The database and the broker of a stack: embedded ones, or those that the settings name."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .children import Child
from .folders import is_claimed
from .postgres import start_postgres
from .valkey import start_valkey


@dataclass(frozen=True, slots=True)
class Servers:
    """The URLs of the database and the broker, and the processes of those that are embedded."""

    database_url: str
    broker_url: str
    children: tuple[Child, ...] = ()


@contextmanager
def running_servers(
    folder: Path,
    *,
    database_url: str | None = None,
    broker_url: str | None = None,
    durable: bool = True,
) -> Iterator[Servers]:
    """Run embedded servers in `folder` during the body, for each URL that is not given.

    The folder must be claimed (`workers.stack.folders`). While they run, other processes get their
    URLs from `found_servers`. Raises StackError when one does not start.
    """
    with ExitStack() as stack:
        children: list[Child] = []
        if database_url is None:
            child, database_url = start_postgres(folder, durable=durable)
            stack.callback(child.stop)
            children.append(child)
        if broker_url is None:
            child, broker_url = start_valkey(folder, durable=durable)
            stack.callback(child.stop)
            children.append(child)
        servers = Servers(database_url, broker_url, tuple(children))
        address = folder / "servers.json"
        address.touch(mode=0o600)  # a URL that was given may hold a password
        address.write_text(json.dumps({"database": database_url, "broker": broker_url}))
        stack.callback(address.unlink, missing_ok=True)
        yield servers


def found_servers(folder: Path) -> Servers | None:
    """The servers that a living process runs in `folder`; None when there are none."""
    if not is_claimed(folder):
        return None
    try:
        urls = json.loads((folder / "servers.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Servers(urls["database"], urls["broker"])

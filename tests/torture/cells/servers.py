"""PostgreSQL servers, one for the directory and one for each cell, and what is done to them."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Final

import psutil

from halo_engine import migrate
from workers.stack.children import Child
from workers.stack.folders import throwaway_folder
from workers.stack.postgres import start_postgres

#: In MiB: room for an empty cluster and what one test writes.
_SMALL: Final = 400
_BLOCK: Final = bytes(1 << 20)


@dataclass
class Server:
    """A server with a folder of its own, which is a small disk of its own where one could be
    mounted.
    """

    folder: Path
    child: Child
    url: str
    has_disk: bool = False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its processes."""
        server = psutil.Process(self.child.process.pid)
        for each in (server, *server.children(recursive=True)):
            each.send_signal(number)

    def kill(self) -> None:
        """Kill it with all its processes."""
        self.send(signal.SIGKILL)
        self.child.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let none of its processes run meanwhile."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Fill its disk; afterwards there is room again, and it is started if it ended."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(_BLOCK) == len(_BLOCK):
                    pass
            except OSError as error:
                if error.errno != ENOSPC:
                    raise
        try:
            yield
        finally:
            filler.unlink()
            if self.child.exited:
                self.child, _ = start_postgres(self.folder, durable=False)

    def stop(self) -> None:
        """Stop it, if it runs."""
        self.child.stop()


@contextmanager
def running_servers(names: Sequence[str], on_small_disk: str) -> Iterator[Mapping[str, Server]]:
    """Run a migrated server for each name, one of them on a small disk if we may mount one."""
    with ExitStack() as stack:
        servers = {}
        for name in names:
            folder = stack.enter_context(throwaway_folder(f"cell-{name}"))
            has_disk = name == on_small_disk and _mount(folder / "disk")
            if has_disk:
                folder = folder / "disk"
                stack.callback(subprocess.check_call, ["umount", "--lazy", folder])
            child, url = start_postgres(folder, durable=False)
            servers[name] = Server(folder, child, url, has_disk)
            stack.callback(servers[name].stop)
            migrate.upgrade(url)
        yield servers


def _mount(folder: Path) -> bool:
    """Mount a small disk in a new folder; return whether we may."""
    folder.mkdir(0o711)
    options = f"size={_SMALL}m,mode=0711"
    return os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", options, "halo", folder]
    )

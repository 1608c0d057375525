"""Ports of this machine that nobody else is given while their server is not there."""

import socket
from pathlib import Path
from random import SystemRandom
from typing import Final

_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST: Final = 10_000


def free_port() -> int:
    """Return a free port below those that the system gives to whoever asks for any.

    A server that stops, or begins later, finds it free. Where there are none below, it is any.
    """
    any_from = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 49_152
    random = SystemRandom()
    while True:
        port = random.randrange(_LOWEST, any_from) if any_from > 2 * _LOWEST else 0
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = tried.getsockname()[1]
            return found

"""The socket that `halo web` listens on (HALO_WEB_BIND)."""

from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from typing import Final

from halo_engine.network import bind_address
from halo_engine.settings import ConfigurationError

_BACKLOG: Final = 4096


def listen(bind: str) -> socket:
    """Return a listening socket; raises ConfigurationError where the address is taken."""
    host, port = bind_address(bind)
    listening = socket(AF_INET6 if ":" in host else AF_INET)
    try:
        listening.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        problem = f"{bind}: {error.strerror}"
        raise ConfigurationError(f"HALO_WEB_BIND: {problem}; name another, or port 0") from None
    return listening


def url_of(listening: socket) -> str:
    """Return the URL at which the socket answers."""
    return f"http://{_address(listening)}"


def free_address(bind: str) -> str:
    """Return ``bind`` if nobody listens there, with a free port for port 0; else raise
    ConfigurationError.
    """
    with listen(bind) as listening:
        return _address(listening)


def any_port(bind: str) -> str:
    """Return ``bind`` with port 0, which is any that is free."""
    return f"{bind.rpartition(':')[0]}:0"


def _address(listening: socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""Which addresses may be called: only public ones, unless the installation allows others (§14).

A name is resolved once. Its addresses are checked, and the connection goes to one of them, so the
name cannot lead to another address in between.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from time import monotonic
from typing import Any, Final

import httpcore

Address = IPv4Address | IPv6Address
#: Returns the addresses of a host and port; raises OSError if there are none.
Resolver = Callable[[str, int], Sequence[Address]]

#: Addresses of this kind hold an IPv4 address, which a translator connects to (RFC 6052).
_NAT64: Final = IPv6Network("64:ff9b::/96")

#: When the message under way must have been answered, by ``time.monotonic``.
DEADLINE: Final[ContextVar[float]] = ContextVar("deadline")


class PrivateAddressError(Exception):
    """A host has an address that may not be called."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"the address {address} is private; allowed are public ones")


def is_public(address: Address) -> bool:
    """Return whether an address, and an IPv4 address within it, belongs to the public Internet."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def resolve(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # An address of a link names its interface behind a percent sign.
    return [ip_address(str(where[0]).partition("%")[0]) for *_, where in found]


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and waits no longer than ``DEADLINE``."""

    def __init__(self, *, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers.

        Raises PrivateAddressError if any of them may not be called.
        """
        addresses = self._resolve(host.strip("[]"), port)
        if not self._allow_private:
            for address in addresses:
                if not is_public(address):
                    raise PrivateAddressError(address)
        failed: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses:
            try:
                stream = self._network.connect_tcp(
                    str(address), port, _patience(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Hurried(stream)
        raise failed

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Refuse: no URL names one."""
        raise httpcore.UnsupportedProtocol("no Unix sockets")


class _Hurried(httpcore.NetworkStream):
    """A connection that gives up at the deadline of the current message."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _patience(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _patience(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, _patience(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _patience(timeout: float | None) -> float:
    left = DEADLINE.get() - monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left if timeout is None else min(timeout, left)

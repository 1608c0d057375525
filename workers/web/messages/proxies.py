"""Find a request's client behind proxies (contract §12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from halo_engine.network import Network

#: The most hops that are read.
_MOST_HOPS: Final = 20


@dataclass(frozen=True, slots=True)
class Proxies:
    """The trusted proxies (HALO_TRUSTED_PROXIES)."""

    trusted: tuple[Network, ...] = ()

    def client(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """Return the address of the client: the peer's, unless that is a trusted proxy.

        Then it is the last address in the header that is no trusted proxy itself.
        ``X-Forwarded-For`` counts before ``Forwarded`` (RFC 7239): common proxies write the first
        and pass the client's own second one on.
        """
        if not self.trusted or not self._trusts(peer):
            return peer
        safe_words = headers.get(b"x-forwarded-for")
        if safe_words is None:
            safe_words = b",".join(_forwarded(headers.get(b"forwarded", b"")))
        client = peer
        for hop in reversed(safe_words.split(b",")[-_MOST_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client

    def _trusts(self, address: str) -> bool:
        return _is_in(address, self.trusted)


@lru_cache(maxsize=4096)
def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == each.version and parsed in each for each in networks)


def _forwarded(header: bytes) -> list[bytes]:
    """Return the ``for`` of each hop; an empty text if it has none."""
    hops = []
    for element in header.split(b","):
        pairs = (pair.partition(b"=") for pair in element.split(b";"))
        named = {name.strip().lower(): value.strip() for name, _, value in pairs}
        hops.append(named.get(b"for", b"").strip(b'"'))
    return hops


def _address(hop: bytes) -> str | None:
    """Return a hop's address without its port; None if it is no address."""
    text = hop.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None

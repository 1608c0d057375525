"""Addresses and networks as settings write them."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network


def bind_address(text: str) -> tuple[str, int]:
    """Return the address and the port of ``127.0.0.1:8080`` or ``[::1]:8080``; else ValueError.

    Port 0 is any that is free.
    """
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    try:
        ip_address(host)
        number = int(port) if port.isascii() and port.isdecimal() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise ValueError("is no address and port; write 127.0.0.1:8080, or [::]:8080")
    return host, number


def is_of_this_machine(url: str) -> bool:
    """Return whether a URL's host is a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list such as ``10.0.0.1, 10.1.0.0/16``; else ValueError."""
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError:
        problem = "is no list of addresses and networks"
        raise ValueError(f"{problem}; write 10.0.0.1,10.1.0.0/16") from None

"""Read HALO_SMTP_URL: which mail server to use, and how (§9).

``smtp://user:password@host:587?ca=/etc/ssl/own.pem``; the options are those of ``_OPTIONS``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

EXAMPLE: Final = "smtp://user:password@host:587"

_SCHEMES: Final = {"smtp": 25, "smtps": 465}
_SUBMISSION_PORT: Final = 587
_OPTIONS: Final = ("ca", "helo", "timeout", "tls")
_DEFAULT_TIMEOUT: Final = 20.0
_LONGEST_TIMEOUT: Final = 300.0
_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]+")
_HELO: Final = re.compile(r"[A-Za-z0-9.:_-]+|\[[A-Za-z0-9.:]+\]")


class Tls(StrEnum):
    """The encryption of the connection; certificates are always verified."""

    #: From the first byte (``smtps``).
    IMPLICIT = "implicit"
    #: STARTTLS is required.
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server, from its URL.

    ``ca`` is a file of certificates to trust instead of the system's. ``helo`` is the name to greet
    with, None for this machine's. ``timeout`` is in seconds, for one step.
    """

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str = ""
    ca: str | None = None
    helo: str | None = None
    timeout: float = _DEFAULT_TIMEOUT


def parse_smtp_url(url: str) -> SmtpServer:
    """Read the URL; raises ValueError with what is wrong, but never repeats the login.

    STARTTLS is required for a login, and for any host but this machine, unless ``tls=none`` is
    given. A login is never sent unencrypted over a network.
    """
    scheme, found, _ = url.partition("://")
    if not found or scheme not in _SCHEMES:
        raise ValueError(f"is not an SMTP URL; write {EXAMPLE}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"cannot be read; write {EXAMPLE}") from None
    host = parts.hostname
    if not host or not _HOST.fullmatch(host) or port == 0 or parts.path not in ("", "/"):
        raise ValueError(f"cannot be read; write {EXAMPLE}")
    options = _options(parts)
    user, password = _login(parts)
    tls = _tls(scheme, options.get("tls"), host, has_login=user is not None)
    submits = scheme == "smtp" and user is not None
    return SmtpServer(
        host=host,
        port=port or (_SUBMISSION_PORT if submits else _SCHEMES[scheme]),
        tls=tls,
        user=user,
        password=password,
        ca=options.get("ca"),
        helo=_helo(options.get("helo")),
        timeout=_timeout(options.get("timeout")),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS or name in options or not value:
            raise ValueError(
                f"has an option that is unknown, blank or given twice; allowed are"
                f" {', '.join(_OPTIONS)}, each once"
            )
        options[name] = value
    if parts.fragment:
        raise ValueError("has a # in it; write %23 in a password")
    return options


def _login(parts: SplitResult) -> tuple[str | None, str]:
    if parts.username is None:
        return None, ""
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        raise ValueError(f"names a user without a password, or the reverse; write {EXAMPLE}")
    if not all(char.isascii() and char.isprintable() for char in user + password):
        raise ValueError("has a login that is not plain ASCII, which SMTP cannot carry")
    return user, password


def _tls(scheme: str, asked: str | None, host: str, *, has_login: bool) -> Tls:
    if scheme == "smtps":
        if asked is not None:
            raise ValueError("says tls= of smtps://, which is encrypted from the first byte")
        return Tls.IMPLICIT
    is_here = _is_this_machine(host)
    if asked is None:
        return Tls.NONE if is_here and not has_login else Tls.STARTTLS
    if asked not in (Tls.STARTTLS, Tls.NONE):
        raise ValueError("has a tls that is unknown; allowed are starttls and none")
    if asked == Tls.NONE and has_login and not is_here:
        raise ValueError("would send the password in the clear; leave tls=none out")
    return Tls(asked)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _helo(name: str | None) -> str | None:
    if name is not None and not _HELO.fullmatch(name):
        raise ValueError("has a helo that is no name of a host; write helo=mail.acme.example")
    return name


def _timeout(text: str | None) -> float:
    if text is None:
        return _DEFAULT_TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise ValueError(
            f"has a timeout that is no number of seconds; allowed are up to {_LONGEST_TIMEOUT:g}"
        )
    return seconds

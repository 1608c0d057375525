"""Check the URLs of the database and the broker, and mask their passwords.

No message repeats a part of a password. A URL that is ambiguous, because its password is not
percent-encoded, is refused: a library might take a piece of the password for the host, and show it.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

DATABASE_EXAMPLE: Final = "postgresql://user:password@host:5432/database"
BROKER_EXAMPLE: Final = "redis://:password@host:6379/0"

_ENCODE: Final = "in a password write %40 for @, %2F for /, %3F for ?, %23 for #"
_BROKER_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "redis+socket": "redis+socket",
    "unix": "redis+socket",
}

#: Options of a URL that may be shown.
_SHOWN_OPTIONS: Final = frozenset(
    {"application_name", "ca", "db", "helo", "host", "port", "sslmode", "timeout", "tls"}
    | {"virtual_host"}
)
_PLAIN_USER: Final = re.compile(r"[\w.%+-]*", re.ASCII)
_PASSWORD_OPTION: Final = re.compile(r"[?&](?:ssl)?password=([^&#]*)", re.IGNORECASE)


def read_database_url(url: str) -> str:
    """Return the URL with the driver's scheme; raises ValueError, which repeats no part of it, if
    it is no PostgreSQL URL.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise ValueError(f"is not a PostgreSQL URL; write {DATABASE_EXAMPLE}")
    rewritten = f"postgresql+psycopg://{rest}"
    try:
        parsed = make_url(rewritten)
    except (ArgumentError, ValueError):
        raise ValueError(f"cannot be read; write {DATABASE_EXAMPLE}") from None
    if "?" in (parsed.password or "") or "@" in f"{parsed.host}{parsed.database}":
        raise ValueError(f"cannot be read; write {DATABASE_EXAMPLE} ({_ENCODE})")
    if not parsed.database:
        raise ValueError(f"names no database; write {DATABASE_EXAMPLE}")
    return rewritten


def read_broker_url(url: str) -> str:
    """Return the URL with the scheme that Celery reads; raises ValueError, which repeats no part of
    it, if it is no Redis or Valkey URL.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _BROKER_SCHEMES:
        raise ValueError(f"is not a Redis or Valkey URL; write {BROKER_EXAMPLE}")
    rewritten = f"{_BROKER_SCHEMES[scheme]}://{rest}"
    try:
        parts = urlsplit(rewritten)
        port_readable = parts.port != 0
    except ValueError:
        port_readable, parts = False, urlsplit("")
    number = parts.path.removeprefix("/")
    is_socket = parts.scheme == "redis+socket"
    readable = port_readable and (is_socket or number == "" or number.isdecimal())
    if not readable or parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(f"cannot be read; write {BROKER_EXAMPLE} ({_ENCODE})")
    if is_socket and scheme != "redis+socket":
        database = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis+socket://{parts.path}?virtual_host={database}"
    return rewritten


def masked(url: str) -> str:
    """Return the URL without passwords, and without anything that may be part of one.

    A text that is no URL, such as a folder, stays as it is.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    login, at, place = rest.rpartition("@")
    if "@" in login or "?" in login:
        return f"{scheme}://***"
    user, colon, _ = login.partition(":")
    shown = user if _PLAIN_USER.fullmatch(user) else "***"
    path, question, query = place.partition("#")[0].partition("?")
    options = "&".join(_option_shown(each) for each in query.split("&"))
    return f"{scheme}://{shown}{':***' if colon else ''}{at}{path}{question}{options}"


def _option_shown(option: str) -> str:
    name, _, _ = option.partition("=")
    if name in _SHOWN_OPTIONS or not option:
        return option
    return f"{name}=***" if name.lower() in {"password", "sslpassword"} else "***"


def passwords(url: str) -> list[str]:
    """Return the passwords in the URL, as written and decoded, the longest first."""
    login, _, _ = url.partition("://")[2].rpartition("@")
    written = {login.partition(":")[2], *_PASSWORD_OPTION.findall(url)} - {""}
    return sorted(written | {unquote(each) for each in written}, key=len, reverse=True)


def one_line(error: BaseException, url: str) -> str:
    """Return the first line of an error at ``url``, without the URL's passwords."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    for secret in passwords(url):
        said = said.replace(secret, "***")
    return said

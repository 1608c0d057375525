"""What is said with every answer below the paths of mails' links, also with refusals (§12)."""

from typing import Final

from .responses import Headers

_PATHS: Final = (b"/u/", b"/s/", b"/c/", b"/o/")
_HEADERS: Final[Headers] = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
    (b"x-content-type-options", b"nosniff"),
)


def hiding(path: bytes) -> Headers:
    """Return the headers that keep a mail's link out of logs and searches; else none."""
    return _HEADERS if path.startswith(_PATHS) else ()

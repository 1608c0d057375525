"""Read lists of mails that were sent: the engine's own file, or what a mail provider lists."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.mail.transports.recording import Sent, read_sent

#: What providers call a Message-ID, in small letters.
_NAMES: Final = ("message_id", "message-id", "messageid", "smtp-id", "smtp_id")


@dataclass(frozen=True, slots=True)
class Lists:
    """Mails by the engine's own file, and Message-IDs that a provider lists, with brackets."""

    sent: tuple[Sent, ...]
    message_ids: frozenset[str]


def read_lists(paths: Iterable[Path]) -> Lists:
    """Read files: each the engine's own, JSON lines of a provider, or CSV with a header.

    Raises a 400 for a file that cannot be read, or in which no line names a Message-ID.
    """
    sent: list[Sent] = []
    ids: set[str] = set()
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            problem = f"{shown(str(path))} cannot be read: {error.strerror}"
            raise bad_input("sent", f"{problem}; allowed are files") from None
        lines = text.splitlines()
        own = read_sent(lines)
        named = {*_message_ids(lines)} if lines and not own else set()
        if lines and not own and not named:
            raise bad_input(
                "sent",
                f"{shown(str(path))} names no mail; allowed are the file of HALO_SENT_LOG, and JSON"
                f" lines or CSV with one of {', '.join(_NAMES)}",
            )
        sent += own
        ids |= named
    return Lists(tuple(sent), frozenset(ids))


def _message_ids(lines: list[str]) -> Iterator[str]:
    rows: Iterable[Any]
    if lines[0].lstrip().startswith("{"):
        rows = map(_json, lines)
    else:
        rows = csv.DictReader(io.StringIO("\n".join(lines)))
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and str(name).strip().lower() in _NAMES and value.strip():
                yield f"<{value.strip().strip('<>')}>"


def _json(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

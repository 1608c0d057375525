"""A file beside the database that says which mails were handed over (decision 75).

Each line is written before its mail is handed over; if the mail was certainly not sent, a second
line says so. So after a crash the file may name a mail that was not sent, and never lacks one that
was. Lines are appended by one write each: they outlive the process at once, and a power cut only as
far as the system wrote them to the disk.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from halo_engine.mail.transports.transports import (
    About,
    Announcing,
    Mail,
    NotHandedOver,
    OutcomeUnknown,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
    Transport,
)

#: Why nothing is sent from a database that knows less than the file.
BEHIND: Final = (
    "the file of sent mails names mails that this database does not know: was it restored? Run"
    " `halo restore check`"
)
#: So much of the file's end is read to find the last mails.
_TAIL: Final = 1 << 16
_NOT_SENT: Final = (PermanentFailure, TemporaryFailure, ServerDown, NotHandedOver)


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that was handed over, or may have been, and when."""

    message_id: str
    at: datetime
    about: About


def line_of(message_id: str, about: About, at: datetime) -> str:
    """Return the line of a mail that is about to be handed over."""
    said = {
        "message_id": message_id,
        "at": at.isoformat(),
        "org": str(about.org_id),
        "row": about.row_id,
        "contact": about.contact_id and str(about.contact_id),
        "series": about.series_id and str(about.series_id),
        "run": about.run_number,
        "step": about.step_id and str(about.step_id),
    }
    return json.dumps({name: value for name, value in said.items() if value is not None})


def _not_sent_line(message_id: str, at: datetime) -> str:
    return json.dumps({"message_id": message_id, "at": at.isoformat(), "not_sent": True})


def read_sent(lines: Sequence[str] | Iterator[str]) -> list[Sent]:
    """Return the mails that the lines name, each once, in the order of their last line.

    A mail may be tried several times: it counts unless each try was certainly none. A line that was
    cut is passed over.
    """
    tries: dict[str, list[Sent]] = {}
    for line in lines:
        try:
            said = json.loads(line)
            message_id, at = said["message_id"], datetime.fromisoformat(said["at"])
            its = tries.get(message_id, [])
            if "not_sent" not in said:
                sent = Sent(message_id, at, _about(said))
                tries.pop(message_id, None)
                tries[message_id] = [*its, sent]
            elif its:
                its.pop()
        except (ValueError, KeyError, TypeError):
            continue
    return [its[-1] for its in tries.values() if its]


def _about(said: dict[str, Any]) -> About:
    def id_of(name: str) -> UUID | None:
        return UUID(said[name]) if name in said else None

    return About(
        UUID(said["org"]),
        int(said["row"]),
        id_of("contact"),
        id_of("series"),
        said.get("run"),
        id_of("step"),
    )


def last_sent(path: Path) -> list[Sent]:
    """Return the last mails that a file names; none if there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return read_sent(text.splitlines())


@dataclass
class RecordingTransport:
    """Hands mails to another transport, and writes down each before.

    ``is_behind`` is asked when the file is opened, before the first mail: whether the database
    knows less than the file. Then nothing is sent, and the next mail asks again.
    """

    transport: Transport
    path: Path
    is_behind: Callable[[Sequence[Sent]], bool]
    _file: int | None = field(default=None, init=False)

    def send(self, mail: Mail, key: str) -> str | None:
        """Write the mail down, and send it; raises ServerDown if that cannot be written."""
        if mail.about is None:
            return self.transport.send(mail, key)
        self._write(line_of(key, mail.about, datetime.now(UTC)))
        try:
            return self.transport.send(mail, key)
        except OutcomeUnknown:
            raise
        except _NOT_SENT:
            self._write(_not_sent_line(key, datetime.now(UTC)))
            raise

    def _write(self, line: str) -> None:
        try:
            file = self._opened()
            text = f"{line}\n".encode()
            if _is_cut(file):
                text = b"\n" + text
            if os.write(file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise ServerDown(f"{self.path}: {error.strerror or error}") from error

    def _opened(self) -> int:
        if self._file is not None and not _is_at(self.path, self._file):
            self.close()
        if self._file is None:
            if self.is_behind(last_sent(self.path)):
                raise ServerDown(BEHIND)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        return self._file

    def close(self) -> None:
        """Close the file, and the other transport if it can be closed."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _is_at(path: Path, file: int) -> bool:
    """Return whether the open file is the one at the path still: it may have been rotated."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _is_cut(file: int) -> bool:
    """Return whether the last line has no end: a disk was full, or a process died."""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


class _AnnouncingToo(RecordingTransport, Announcing):
    """The same of a transport that works ahead."""

    def announce(self, mail: Mail) -> None:
        """Pass it on."""
        assert isinstance(self.transport, Announcing)
        self.transport.announce(mail)

    def retract(self) -> None:
        """Pass it on."""
        assert isinstance(self.transport, Announcing)
        self.transport.retract()


def recording(
    transport: Transport, path: Path, is_behind: Callable[[Sequence[Sent]], bool]
) -> RecordingTransport:
    """Return a transport that writes down what it hands over; it works ahead if the other does."""
    kind = _AnnouncingToo if isinstance(transport, Announcing) else RecordingTransport
    return kind(transport, path, is_behind)

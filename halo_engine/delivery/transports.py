"""Where mail goes: one small protocol, a folder of ``.eml`` files, and a list in memory (§9).

A transport says what became of a message in one of three ways: it returns (sent), or it raises one
of the two failures below (not sent). Whatever else it raises leaves the outcome unknown.
"""

import os
import re
import tempfile
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final, Protocol

_LONGEST_REASON: Final = 500
#: Folded anew, a header that holds a long URL would become encoded words.
_AS_WRITTEN: Final = SMTP.clone(refold_source="none")


class _NotSentError(Exception):
    """The message was certainly not sent; ``reason`` is what the server said, fit to be stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        printable = "".join(c if c.isprintable() else " " for c in reason)
        self.reason = printable[:_LONGEST_REASON].strip() or "no reason given"


class PermanentFailure(_NotSentError):  # noqa: N818 -- what the server says, not a bug
    """It never will be: the row becomes ``failed`` with this reason (contract §5)."""


class TemporaryFailure(_NotSentError):  # noqa: N818 -- as above
    """It may be later: the row is tried again, within a limit."""


class Transport(Protocol):
    """Something that takes a message and is answerable for it."""

    def send(self, message: EmailMessage, key: str) -> None:
        """Send ``message``; ``key`` is the same whenever the same message is sent again.

        Raises PermanentFailure or TemporaryFailure when it was certainly not sent.
        """


class FolderTransport:
    """A folder of ``.eml`` files: one file for a key, however often its message is sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage, key: str) -> None:
        """Write the file; it appears under its name whole or not at all."""
        name = re.sub(r"[^\w.@-]", "_", key.strip("<>"), flags=re.ASCII)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._folder / f"{name}.eml", message.as_bytes(policy=_AS_WRITTEN))
        except OSError as error:
            raise TemporaryFailure(f"{self._folder}: {error.strerror or error}") from error

    def _write(self, path: Path, content: bytes) -> None:
        descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".draft", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


class MemoryTransport:
    """Keeps what was sent, in order: the post office of a rehearsal."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []

    def send(self, message: EmailMessage, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Keep ``message``, after those that were sent before it."""
        self.sent.append(message)

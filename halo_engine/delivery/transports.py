"""Where mail goes: one small protocol, a folder of ``.eml`` files, and a list in memory (§9).

The protocol is all that another way out has to keep to, a provider's HTTP API for instance: see
``Transport``. ``delivery.smtp`` is the one that sends.
"""

import os
import re
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Final, Protocol

_LONGEST_REASON: Final = 500
_PARSER: Final = BytesParser(EmailMessage, policy=default)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it goes over the wire: its envelope, two bare addresses, and its bytes.

    ``content`` is ASCII in lines that end in CRLF, headers first; it goes out as it is.
    """

    sender: str
    recipient: str
    content: bytes

    def under(self, message_id: str) -> "Mail":
        """Return the same with this Message-ID on top: ``<…@…>``.

        It refers to itself: where a relay puts a Message-ID of its own, ours stays there.
        """
        id_ = message_id.encode()
        content = b"Message-ID: %b\r\nReferences: %b\r\n%b" % (id_, id_, self.content)
        return Mail(self.sender, self.recipient, content)

    def read(self) -> EmailMessage:
        """Return the message as whoever gets it reads it; a provider may want its parts."""
        return _PARSER.parsebytes(self.content.replace(b"\r\n", b"\n"))


class Failure(Exception):  # noqa: N818 -- the kind that all four are
    """What a transport says of a message; ``reason`` is the server's words, fit to be stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        printable = "".join(c if c.isprintable() else " " for c in reason)
        self.reason = printable[:_LONGEST_REASON].strip() or "no reason given"


class PermanentFailure(Failure):
    """Certainly not sent, and it never will be: the row becomes ``failed`` (contract §5)."""


class RecipientRefused(PermanentFailure):
    """That, and what was refused is the recipient (SMTP: at ``RCPT``): a bounce, maybe for good."""


class TemporaryFailure(Failure):
    """Certainly not sent, and it may be later: the row is tried again, within a limit."""


class ServerDown(Failure):
    """Certainly not sent, and no message would have been: nobody's attempt.

    ``broke_off`` says that the session ended in the middle of this very message, which may
    therefore be the cause.
    """

    def __init__(self, reason: str, *, broke_off: bool = False) -> None:
        super().__init__(reason)
        self.broke_off = broke_off


class OutcomeUnknown(Failure):
    """Handed over, and no answer came: the series' ``delivery_guarantee`` decides (contract §9)."""


class NotHandedOver(SystemExit):
    """The worker was told to stop (``SystemExit``) while the message had certainly not left."""


class Transport(Protocol):
    """Something that takes a message and is answerable for it.

    ``send`` returns when the message was accepted. Otherwise it raises, and which of the four
    failures is the whole difference between a mail that is lost, sent twice, or neither:

    - PermanentFailure: it was looked at and refused, and would be again (HTTP 400, 413, 422).
      RecipientRefused where the recipient was refused: the words say whether for good (§2).
    - TemporaryFailure: it was looked at and put off (a greylisted address). An attempt is used up.
    - ServerDown: no message gets through now, whichever it is (connection refused, a wrong key,
      HTTP 401, 429, 503 before the body was taken). Nobody's attempt; sending pauses.
    - OutcomeUnknown: the message left, and whether it was accepted was not heard (a connection
      lost, a timeout, HTTP 500 or 502 after the body). Never say this for one that did not leave,
      and never one of the others for one that may have.

    Whatever else it raises is a bug, or a worker that is told to stop: the outcome counts as
    unknown, and the batch ends. A transport that knows better raises NotHandedOver for SystemExit.

    ``key`` is the message's Message-ID, the same whenever the same message is sent again, by
    whichever worker: a provider's idempotency key. Where the provider keeps keys, a retry after
    OutcomeUnknown sends no second copy. ``send`` must answer, one way or the other, within half of
    HALO_SOFT_LIMIT_SECONDS.
    """

    def send(self, mail: Mail, key: str) -> str | None:
        """Send ``mail``; ``key`` is the same whenever the same message is sent again.

        Returns what the server calls the message, if it puts that into the Message-ID instead of
        ours (Amazon SES); None otherwise.

        Raises PermanentFailure, TemporaryFailure, ServerDown or OutcomeUnknown.
        """


class Announcing(ABC):
    """What a transport is besides that can work ahead; no other needs to know of it.

    A message is announced before its intent is committed, so that the server is busy with it
    meanwhile. It may never come, for want of an intent: so nothing of it may be handed over by
    that. Neither method raises for what the server does, which shows in ``send``.
    """

    @abstractmethod
    def announce(self, mail: Mail) -> None:
        """Prepare to send ``mail``, which has no Message-ID yet; most often it is sent next."""

    @abstractmethod
    def retract(self) -> None:
        """Give up what was announced, unless it was sent."""


class FolderTransport:
    """A folder of ``.eml`` files: one file for a key, however often its message is sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: Mail, key: str) -> None:
        """Write the file; it appears under its name whole or not at all."""
        name = re.sub(r"[^\w.@-]", "_", key.strip("<>"), flags=re.ASCII)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._folder / f"{name}.eml", mail.content)
        except OSError as error:
            raise ServerDown(f"{self._folder}: {error.strerror or error}") from error

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
    """Keeps what was sent, in order, as it is read: the post office of a rehearsal."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Keep ``mail``, after those that were sent before it."""
        self.sent.append(mail.read())

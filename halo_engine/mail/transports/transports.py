"""Transports of mail: the protocol, a folder of ``.eml`` files, and a list in memory (§9).

Another transport, such as a provider's HTTP API, only has to follow ``Transport``.
``mail.transports.smtp`` is the one that sends.
"""

import os
import re
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

_LONGEST_REASON: Final = 500
_PARSER: Final = BytesParser(EmailMessage, policy=default)


@dataclass(frozen=True, slots=True)
class About:
    """The row that a message is of: a row of a run at a step, or a mail to confirm a list, which
    has only ``row_id``.
    """

    org_id: UUID
    row_id: int
    contact_id: UUID | None = None
    series_id: UUID | None = None
    run_number: int | None = None
    step_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it is sent: its envelope (two bare addresses) and its bytes.

    ``content`` is ASCII in lines that end in CRLF, headers first; it is sent unchanged.
    ``contact_id`` says for whom it is, where it is for a contact, and ``about`` of which row;
    neither is sent.
    """

    sender: str
    recipient: str
    content: bytes
    contact_id: UUID | None = None
    about: About | None = None

    def under(self, message_id: str) -> "Mail":
        """Return a copy with this Message-ID (``<…@…>``) on top.

        It also refers to itself: if a relay replaces the Message-ID, ours stays in References.
        """
        id_ = message_id.encode()
        content = b"Message-ID: %b\r\nReferences: %b\r\n%b" % (id_, id_, self.content)
        return replace(self, content=content)

    def read(self) -> EmailMessage:
        """Return the parsed message; a provider's API may want its parts."""
        return _PARSER.parsebytes(self.content.replace(b"\r\n", b"\n"))


class Failure(Exception):  # noqa: N818 -- the kind that all four are
    """Why a message was not accepted; ``reason`` is the server's words, safe to store."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        printable = "".join(c if c.isprintable() else " " for c in reason)
        self.reason = printable[:_LONGEST_REASON].strip() or "no reason given"


class PermanentFailure(Failure):
    """Certainly not sent, and never will be: the row becomes ``failed`` (contract §5)."""


class RecipientRefused(PermanentFailure):
    """The recipient was refused (SMTP: at ``RCPT``): a bounce, perhaps for good."""


class TemporaryFailure(Failure):
    """Certainly not sent, but may be later: the row is tried again, up to a limit."""


class ServerDown(Failure):
    """Certainly not sent, and no other message would be: no attempt is counted.

    ``broke_off`` says that the session ended in the middle of this message, which may be the cause.
    """

    def __init__(self, reason: str, *, broke_off: bool = False) -> None:
        super().__init__(reason)
        self.broke_off = broke_off


class OutcomeUnknown(Failure):
    """Handed over, but no answer came: the series' ``delivery_guarantee`` decides (contract §9)."""


class NotHandedOver(SystemExit):
    """The worker was stopped (``SystemExit``) before the message was handed over."""


class Transport(Protocol):
    """Sends messages, and says reliably whether each was accepted.

    ``send`` returns if the message was accepted. Otherwise it raises one of four failures. The
    wrong one loses a mail or sends it twice:

    - PermanentFailure: the message was refused, and would be again (HTTP 400, 413, 422).
      RecipientRefused if the recipient was refused: the words say whether for good (§2).
    - TemporaryFailure: the message was put off (a greylisted address). The attempt is counted.
    - ServerDown: no message gets through now (connection refused, a wrong key, HTTP 401, 429, 503
      before the body was accepted). No attempt is counted; sending pauses.
    - OutcomeUnknown: the message was handed over, but no answer came (a lost connection, a timeout,
      HTTP 500 or 502 after the body). Use it exactly if the message may have been handed over.

    Any other exception is a bug, or a worker that is told to stop: the outcome counts as unknown,
    and the batch ends. If nothing was handed over, raise NotHandedOver for SystemExit.

    ``key`` is the Message-ID. It is the same whenever any worker sends the same message again, so
    it can be a provider's idempotency key; then a retry after OutcomeUnknown sends no second copy.
    ``send`` must return or raise within half of HALO_SOFT_LIMIT_SECONDS.
    """

    def send(self, mail: Mail, key: str) -> str | None:
        """Send ``mail``; ``key`` is the same whenever the same message is sent again.

        Returns the server's id for the message, if it replaces our Message-ID (Amazon SES); else
        None.

        Raises PermanentFailure, TemporaryFailure, ServerDown or OutcomeUnknown.
        """


class Announcing(ABC):
    """Optional for a transport: it can work ahead on a message.

    A message is announced while its intent is being committed, so the server can already work on
    it. Without an intent it will not be sent, so announcing must not hand it over. Neither method
    raises an error of the server; ``send`` will.
    """

    @abstractmethod
    def announce(self, mail: Mail) -> None:
        """Prepare to send ``mail``, which has no Message-ID yet; usually it is sent next."""

    @abstractmethod
    def retract(self) -> None:
        """Take back what was announced, unless it was sent."""


class FolderTransport:
    """Writes ``.eml`` files into a folder: one file a key, however often it is sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: Mail, key: str) -> None:
        """Write the file; it appears complete or not at all."""
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
    """Keeps sent messages in a list, parsed and in order, for rehearsals."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Append ``mail``."""
        self.sent.append(mail.read())

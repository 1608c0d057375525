"""One SMTP session: a connection, and what is said on it for each message (contract §9, RFC 5321).

A message is handed over by the final dot and by nothing else: whatever breaks before it is a
message that was not sent, whatever breaks between the dot and its reply is an outcome that nobody
knows. Python's ``SMTP.data`` sends body and dot in one call, so the steps are spelled out here.
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from select import select
from time import monotonic
from typing import Final

from halo_engine.delivery.smtp_url import SmtpServer, Tls
from halo_engine.delivery.transports import (
    Mail,
    NotHandedOver,
    OutcomeUnknown,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
)

#: A connection that lay idle for longer is not tried again: servers close them after minutes.
_IDLE_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 1.0

#: What any step may answer and is about the session: it closes, or it lacks a login (RFC 4954).
_CLOSING: Final = 421
_LOGIN_CODES: Final = (530, 534, 535, 538)
#: A server that does not know us refuses every recipient in these words, with any of three codes.
_NO_RELAY: Final = re.compile(r"\brelay", re.IGNORECASE)


class BrokenOffError(Exception):
    """The session ended before the final dot; ``begun`` when the message was its business by then.

    A session that was kept from an earlier message may have ended long before.
    """

    def __init__(self, words: str, *, begun: bool) -> None:
        super().__init__(words)
        self.begun = begun


class Session:
    """One connection: greeted, encrypted and logged in, or ServerDown."""

    def __init__(self, server: SmtpServer, deadline: float) -> None:
        self._server = server
        self._deadline = deadline
        self._smtp: smtplib.SMTP | None = None
        #: Answers to what was said that are not read yet.
        self._owed = 0
        #: The commands that went ahead of a message.
        self._announced: tuple[str, ...] = ()
        #: How far the message under way has come.
        self._reached = ""
        try:
            self._smtp = self._connect()
            if self._smtp.sock is not None:
                # The dot is a packet of its own: it must not wait until the text is acknowledged.
                self._smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open(self._smtp)
        except BaseException as error:
            self.abandon()
            # Also a time limit that ends here: nothing was handed over.
            if isinstance(error, Exception):
                raise ServerDown(self._without_password(_said(error))) from error
            if isinstance(error, SystemExit):
                raise NotHandedOver(error.code) from error
            raise
        self._used_at = monotonic()

    def _connect(self) -> smtplib.SMTP:
        server, patience = self._server, self._patience()
        if server.tls is Tls.IMPLICIT:
            return smtplib.SMTP_SSL(
                server.host, server.port, server.helo, timeout=patience, context=self._context()
            )
        return smtplib.SMTP(server.host, server.port, server.helo, timeout=patience)

    def _open(self, smtp: smtplib.SMTP) -> None:
        self._greet(smtp)
        if self._server.tls is Tls.STARTTLS:
            self._be_patient()
            smtp.starttls(context=self._context())
            self._greet(smtp)
        if self._server.user is not None:
            self._be_patient()
            smtp.login(self._server.user, self._server.password)

    def _greet(self, smtp: smtplib.SMTP) -> None:
        self._be_patient()
        code, words = smtp.ehlo()
        if code // 100 == 5:
            self._be_patient()
            code, words = smtp.helo()
        if code // 100 != 2:
            raise smtplib.SMTPHeloError(code, words)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._server.ca)

    @property
    def described(self) -> str:
        """The host, how it is encrypted, and who is logged in."""
        encrypted = {Tls.NONE: "in the clear"}.get(self._server.tls, "TLS, certificate verified")
        user = self._server.user
        return f"{encrypted}, " + (f"logged in as {user}" if user else "without a login")

    @property
    def is_announced(self) -> bool:
        """Whether an envelope went ahead: then this message can come, and no other."""
        return bool(self._announced)

    def is_fit_for(self, mail: Mail) -> bool:
        """Whether ``mail`` can be tried here.

        It was announced; or nothing was, and the server has neither closed the connection nor said
        anything since the message before.
        """
        if self._announced:
            return self._announced == _envelope(mail)
        return monotonic() - self._used_at < _IDLE_SECONDS and not self._has_spoken()

    def announce(self, mail: Mail, deadline: float) -> bool:
        """Send the envelope ahead, where the server takes several commands at once; read nothing.

        The way back is to close the connection: after DATA whatever is said is text. Returns
        whether the session can go on; what broke the connection shows again on the next.
        """
        if not self._takes_several or self._announced == _envelope(mail):
            return True
        self._deadline = deadline
        fit = False
        try:
            if self.is_fit_for(mail):
                self._announced = _envelope(mail)
                self._tell(self._announced)
                fit = True
        except OSError:
            pass
        finally:
            if not fit:
                self.abandon()
        return fit

    def hand_over(self, mail: Mail, deadline: float) -> None:
        """Take the mail through the steps of RFC 5321; returns when the server took it.

        Raises BrokenOffError as long as the final dot is not sent, OutcomeUnknown after it, and
        what the server's answers mean.
        """
        self._deadline = deadline
        self._reached = "MAIL"
        try:
            self._up_to_the_dot(mail)
        except (BrokenOffError, PermanentFailure, TemporaryFailure, ServerDown):
            raise
        except Exception as error:
            words = f"the connection broke at {self._reached}: {_said(error)}"
            # Of commands that went out together it may have been any.
            begun = self._takes_several or self._reached != "MAIL"
            raise BrokenOffError(words, begun=begun) from error
        except SystemExit as stop:
            raise NotHandedOver(stop.code) from stop
        self._expect(self._end_of_text(), 2)
        self._used_at = monotonic()

    def _up_to_the_dot(self, mail: Mail) -> None:
        commands = _envelope(mail)
        answers = self._answers() if self._announced else self._say(commands)
        self._announced = ()
        answer = next(answers)
        if answer.code // 100 != 2:
            # Neither recipient nor text is known yet: every message would be refused here.
            raise BrokenOffError(f"{answer} (to {commands[0]})", begun=False)
        self._reached = "RCPT"
        self._expect(next(answers), 2, recipient=True)
        self._reached = "DATA"
        self._expect(next(answers), 3)
        self._reached = "the text"
        self._write(_text(mail))
        if self._has_spoken():
            raise BrokenOffError(f"{self._answer()} (before the text was whole)", begun=True)

    def _end_of_text(self) -> "_Answer":
        """Send the final dot, and wait for the answer as long as there is time."""
        try:
            self._write(b".\r\n")
            self._be_patient(to_the_end=True)
            answer = self._answer()
        except Exception as error:
            raise OutcomeUnknown(f"no answer to the text: {_said(error)}") from error
        if answer.code // 100 not in (2, 4, 5):
            raise OutcomeUnknown(f"no answer to the text: {answer}")
        return answer

    def _expect(self, answer: "_Answer", first_digit: int, *, recipient: bool = False) -> None:
        """Return if the server goes on; else raise what its answer means."""
        if answer.code // 100 == first_digit:
            return
        if answer.code == _CLOSING:
            raise BrokenOffError(str(answer), begun=True)
        if answer.code in _LOGIN_CODES or (recipient and _NO_RELAY.search(answer.words)):
            raise ServerDown(str(answer))
        if answer.code // 100 == 4:
            raise TemporaryFailure(str(answer))
        if answer.code // 100 == 5:
            raise PermanentFailure(str(answer))
        raise BrokenOffError(f"not an answer: {answer}", begun=True)

    def reset(self) -> bool:
        """Forget the message that was refused; return whether the session can take another.

        A server that asks for a text all the same cannot: an end of it would be a message. Raises
        NotHandedOver for SystemExit.
        """
        fit = False
        try:
            asks = [answer for answer in self._answers() if answer.code // 100 == 3]
            fit = not asks and self._ask("RSET").code // 100 == 2
        except Exception:  # noqa: BLE001 -- also a time limit: the refusal is known
            pass
        except SystemExit as stop:
            raise NotHandedOver(stop.code) from stop
        finally:
            if not fit:
                self.abandon()
        self._used_at = monotonic()
        return fit

    def leave(self) -> None:
        """Say goodbye, without waiting long for the answer, and close."""
        if not self._announced:
            with suppress(OSError):
                self._deadline = monotonic() + _FAREWELL_SECONDS
                self._ask("QUIT")
        self.abandon()

    def abandon(self) -> None:
        """Close the connection as it stands; what is under way is not handed over any more."""
        if self._smtp is not None:
            self._smtp.close()

    def _say(self, commands: tuple[str, ...]) -> Iterator["_Answer"]:
        """Yield the answers to the commands, which go out together if the server says that it
        takes them so (RFC 2920), else each when the answer to the one before was read.
        """
        if not self._takes_several:
            yield from map(self._ask, commands)
            return
        self._tell(commands)
        yield from self._answers()

    @property
    def _takes_several(self) -> bool:
        return self._connected().has_extn("pipelining")

    def _tell(self, commands: tuple[str, ...]) -> None:
        self._be_patient()
        self._connected().send("".join(f"{command}\r\n" for command in commands))
        self._owed = len(commands)

    def _answers(self) -> Iterator["_Answer"]:
        while self._owed:
            self._be_patient()
            self._owed -= 1
            yield self._answer()

    def _ask(self, command: str) -> "_Answer":
        self._be_patient()
        smtp = self._connected()
        smtp.putcmd(command)
        return self._answer()

    def _answer(self) -> "_Answer":
        code, words = self._connected().getreply()
        return _Answer(code, words.decode("utf-8", "replace"))

    def _write(self, content: bytes) -> None:
        self._be_patient(to_the_end=True)
        self._connected().send(content)

    def _has_spoken(self) -> bool:
        """Whether something can be read, be it words or the end of the connection."""
        smtp = self._connected()
        if smtp.sock is None or smtp.file is None:
            return True
        if isinstance(smtp.sock, ssl.SSLSocket) and smtp.sock.pending():
            return True
        if select([smtp.sock], [], [], 0)[0]:
            return True
        # More than the answer may have been read with it; what waits there no socket tells of.
        smtp.sock.settimeout(0)
        try:
            return bool(smtp.file.peek())
        except ssl.SSLWantReadError:
            return False

    def _connected(self) -> smtplib.SMTP:
        assert self._smtp is not None
        return self._smtp

    def _be_patient(self, *, to_the_end: bool = False) -> None:
        """Wait for the next step as long as one may take, or as long as there is time at all."""
        smtp = self._connected()
        if smtp.sock is not None:
            smtp.sock.settimeout(self._patience(to_the_end=to_the_end))

    def _patience(self, *, to_the_end: bool = False) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("it took too long in all")
        return left if to_the_end else min(left, self._server.timeout)

    def _without_password(self, words: str) -> str:
        password = self._server.password
        return words.replace(password, "***") if password else words


class _Answer:
    """What the server said to one step."""

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        self.words = words

    def __str__(self) -> str:
        return f"{self.code} {self.words}".strip()


def _envelope(mail: Mail) -> tuple[str, ...]:
    """Return the commands that come before the text."""
    return f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>", "DATA"


def _text(mail: Mail) -> bytes:
    """Return the mail's bytes as they go over the wire, up to the final dot."""
    # Whatever wrote it: a line that ends otherwise could pass for the end of the text.
    lines = [b"." + line if line.startswith(b".") else line for line in mail.content.splitlines()]
    return b"\r\n".join([*lines, b""])


def _said(error: Exception) -> str:
    """Return an error's words on one line, the server's own where it has some."""
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        return f"{error.smtp_code} {said}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__

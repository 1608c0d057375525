"""One SMTP session: a connection, and what is said on it for each message (contract §9, RFC 5321).

A message is handed over by the final dot and by nothing else: whatever breaks before it is a
message that was not sent, whatever breaks between the dot and its reply is an outcome that nobody
knows. Python's ``SMTP.data`` sends body and dot in one call, so the steps are spelled out here.
"""

import re
from contextlib import suppress
from time import monotonic
from typing import Final

from halo_engine.delivery.smtp_connection import Answer, Connection, in_words
from halo_engine.delivery.smtp_url import SmtpServer
from halo_engine.delivery.transports import (
    Mail,
    NotHandedOver,
    OutcomeUnknown,
    PermanentFailure,
    RecipientRefused,
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
    """One connection, greeted and logged in, and what is under way on it; or ServerDown."""

    def __init__(self, server: SmtpServer, deadline: float) -> None:
        self._connection = Connection(server, deadline)
        #: The commands that went ahead of a message.
        self._announced: tuple[str, ...] = ()
        #: How far the message under way has come.
        self._reached = ""
        self._used_at = monotonic()

    @property
    def described(self) -> str:
        """How the connection is encrypted, and who is logged in."""
        return self._connection.described

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
        return monotonic() - self._used_at < _IDLE_SECONDS and not self._connection.has_spoken()

    def announce(self, mail: Mail, deadline: float) -> bool:
        """Send the envelope ahead, where the server takes several commands at once; read nothing.

        The way back is to close the connection: after DATA whatever is said is text. Returns
        whether the session can go on; what broke the connection shows again on the next.
        """
        if not self._connection.takes_several or self._announced == _envelope(mail):
            return True
        self._connection.deadline = deadline
        fit = False
        try:
            if self.is_fit_for(mail):
                self._announced = _envelope(mail)
                self._connection.tell(self._announced)
                fit = True
        except OSError:
            pass
        finally:
            if not fit:
                self.abandon()
        return fit

    def hand_over(self, mail: Mail, deadline: float) -> str:
        """Take the mail through the steps of RFC 5321; returns what the server says who took it.

        Raises BrokenOffError as long as the final dot is not sent, OutcomeUnknown after it, and
        what the server's answers mean.
        """
        self._connection.deadline = deadline
        self._reached = "MAIL"
        try:
            self._up_to_the_dot(mail)
        except (BrokenOffError, PermanentFailure, TemporaryFailure, ServerDown):
            raise
        except Exception as error:
            words = f"the connection broke at {self._reached}: {in_words(error)}"
            # Of commands that went out together it may have been any.
            begun = self._connection.takes_several or self._reached != "MAIL"
            raise BrokenOffError(words, begun=begun) from error
        except SystemExit as stop:
            raise NotHandedOver(stop.code) from stop
        answer = self._end_of_text()
        self._expect(answer, 2)
        self._used_at = monotonic()
        return answer.words

    def _up_to_the_dot(self, mail: Mail) -> None:
        commands = _envelope(mail)
        answers = self._connection.answers() if self._announced else self._connection.say(commands)
        self._announced = ()
        answer = next(answers)
        if answer.kind != 2:
            # Neither recipient nor text is known yet: every message would be refused here.
            raise BrokenOffError(f"{answer} (to {commands[0]})", begun=False)
        self._reached = "RCPT"
        self._expect(next(answers), 2, recipient=True)
        self._reached = "DATA"
        self._expect(next(answers), 3)
        self._reached = "the text"
        self._connection.write(_text(mail))
        if self._connection.has_spoken():
            raise BrokenOffError(
                f"{self._connection.answer()} (before the text was whole)", begun=True
            )

    def _end_of_text(self) -> Answer:
        """Send the final dot, and wait for the answer as long as there is time."""
        try:
            self._connection.write(b".\r\n")
            answer = self._connection.answer(to_the_end=True)
        except Exception as error:
            raise OutcomeUnknown(f"no answer to the text: {in_words(error)}") from error
        if answer.kind not in (2, 4, 5):
            raise OutcomeUnknown(f"no answer to the text: {answer}")
        return answer

    def _expect(self, answer: Answer, first_digit: int, *, recipient: bool = False) -> None:
        """Return if the server goes on; else raise what its answer means."""
        if answer.kind == first_digit:
            return
        if answer.code == _CLOSING:
            raise BrokenOffError(str(answer), begun=True)
        if answer.code in _LOGIN_CODES or (recipient and _NO_RELAY.search(answer.words)):
            raise ServerDown(str(answer))
        if answer.kind == 4:
            raise TemporaryFailure(str(answer))
        if answer.kind == 5:
            raise (RecipientRefused if recipient else PermanentFailure)(str(answer))
        raise BrokenOffError(f"not an answer: {answer}", begun=True)

    def reset(self) -> bool:
        """Forget the message that was refused; return whether the session can take another.

        A server that asks for a text all the same cannot: an end of it would be a message. Raises
        NotHandedOver for SystemExit.
        """
        fit = False
        try:
            asks = [answer for answer in self._connection.answers() if answer.kind == 3]
            fit = not asks and self._connection.ask("RSET").kind == 2
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
                self._connection.deadline = monotonic() + _FAREWELL_SECONDS
                self._connection.ask("QUIT")
        self.abandon()

    def abandon(self) -> None:
        """Close the connection as it stands; what is under way is not handed over any more."""
        self._connection.close()


def _envelope(mail: Mail) -> tuple[str, ...]:
    """Return the commands that come before the text."""
    return f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>", "DATA"


def _text(mail: Mail) -> bytes:
    """Return the mail's bytes as they go over the wire, up to the final dot."""
    # Whatever wrote it: a line that ends otherwise could pass for the end of the text.
    lines = [b"." + line if line.startswith(b".") else line for line in mail.content.splitlines()]
    return b"\r\n".join([*lines, b""])

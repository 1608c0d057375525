"""One SMTP session: a connection, and the steps for each message on it (contract §9, RFC 5321).

Only the final dot hands a message over. If the session breaks before it, the message was not sent;
if it breaks between the dot and its answer, the outcome is unknown. Python's ``SMTP.data`` sends
text and dot in one call, so the steps are spelled out here.
"""

import re
from contextlib import suppress
from time import monotonic
from typing import Final

from halo_engine.mail.transports.smtp_connection import Connection, ServerAnswer, in_words
from halo_engine.mail.transports.smtp_url import SmtpServer
from halo_engine.mail.transports.transports import (
    Mail,
    NotHandedOver,
    OutcomeUnknown,
    PermanentFailure,
    RecipientRefused,
    ServerDown,
    TemporaryFailure,
)

#: A connection that was idle for longer is not used again: servers close idle ones.
_IDLE_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 1.0

#: Answers that are about the session, at any step: it closes, or needs a login (RFC 4954).
_CLOSING: Final = 421
_LOGIN_CODES: Final = (530, 534, 535, 538)
#: A server that does not accept our mail refuses every recipient in these words.
_NO_RELAY: Final = re.compile(r"\brelay", re.IGNORECASE)


class BrokenOffError(Exception):
    """The session ended before the final dot; ``begun`` if the server had seen this message.

    A session that was kept from an earlier message may have ended long before.
    """

    def __init__(self, words: str, *, begun: bool) -> None:
        super().__init__(words)
        self.begun = begun


class Session:
    """One open connection, and the message under way on it; opening may raise ServerDown."""

    def __init__(self, server: SmtpServer, deadline: float) -> None:
        self._connection = Connection(server, deadline)
        #: The commands that were sent ahead of a message.
        self._announced: tuple[str, ...] = ()
        #: The step that the message under way has reached.
        self._reached = ""
        self._used_at = monotonic()

    @property
    def described(self) -> str:
        """The connection's encryption and login, in words."""
        return self._connection.described

    @property
    def is_announced(self) -> bool:
        """Whether an envelope was sent ahead; then only its message can follow."""
        return bool(self._announced)

    def is_fit_for(self, mail: Mail) -> bool:
        """Whether ``mail`` can be sent on this session.

        Either it was announced; or nothing was, and since the last message the server has neither
        closed the connection nor sent anything.
        """
        if self._announced:
            return self._announced == _envelope(mail)
        return monotonic() - self._used_at < _IDLE_SECONDS and not self._connection.has_spoken()

    def announce(self, mail: Mail, deadline: float) -> bool:
        """Send the envelope ahead, if the server accepts several commands at once; read nothing.

        Only closing the connection takes it back: after DATA everything is text. Returns whether
        the session is still usable; if not, the next connection shows what is wrong.
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
        """Take the mail through the steps of RFC 5321; return the words with which the server
        accepts it.

        If the session breaks, raises BrokenOffError before the final dot and OutcomeUnknown after
        it; for refusals raises what the server's answer means.
        """
        self._connection.deadline = deadline
        self._reached = "MAIL"
        try:
            self._up_to_the_dot(mail)
        except (BrokenOffError, PermanentFailure, TemporaryFailure, ServerDown):
            raise
        except Exception as error:
            words = f"the connection broke at {self._reached}: {in_words(error)}"
            # If commands were sent together, any of them may be the cause.
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
            # The server knows neither recipient nor text yet: it would refuse every message.
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

    def _end_of_text(self) -> ServerAnswer:
        """Send the final dot, and wait for the answer until the deadline."""
        try:
            self._connection.write(b".\r\n")
            answer = self._connection.answer(to_the_end=True)
        except Exception as error:
            raise OutcomeUnknown(f"no answer to the text: {in_words(error)}") from error
        if answer.kind not in (2, 4, 5):
            raise OutcomeUnknown(f"no answer to the text: {answer}")
        return answer

    def _expect(self, answer: ServerAnswer, first_digit: int, *, recipient: bool = False) -> None:
        """Return if the answer has this first digit; else raise what it means."""
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
        """Forget the refused message; return whether the session can take another.

        It cannot if the server asks for the text nevertheless: ending the text would send it.
        Raises NotHandedOver for SystemExit.
        """
        fit = False
        try:
            asks = [answer for answer in self._connection.answers() if answer.kind == 3]
            fit = not asks and self._connection.ask("RSET").kind == 2
        except Exception:  # noqa: BLE001 -- even a time limit: the refusal is known
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
        """Close the connection at once; the message under way is not handed over."""
        self._connection.close()


def _envelope(mail: Mail) -> tuple[str, ...]:
    """Return the commands that come before the text."""
    return f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.recipient}>", "DATA"


def _text(mail: Mail) -> bytes:
    """Return the mail's bytes as they go over the wire, up to the final dot."""
    text = mail.content
    # A line with another line end could be taken for the end of the text.
    if not text.count(b"\r") == text.count(b"\n") == text.count(b"\r\n"):
        text = b"\r\n".join(text.splitlines())
    if not text.endswith(b"\r\n"):
        text += b"\r\n"
    stuffed = text.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed

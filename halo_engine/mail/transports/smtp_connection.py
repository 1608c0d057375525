"""A connection to an SMTP server: opening it, and waiting for answers (§9, RFC 5321)."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from select import select
from time import monotonic

from halo_engine.mail.transports.smtp_url import SmtpServer, Tls
from halo_engine.mail.transports.transports import NotHandedOver, ServerDown


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """The server's answer to one step."""

    code: int
    words: str

    @property
    def kind(self) -> int:
        """The first digit of the code: 2 and 3 mean go on, 4 refused for now, 5 for good."""
        return self.code // 100

    def __str__(self) -> str:
        return f"{self.code} {self.words}".strip()


class Connection:
    """A connection after greeting, encryption and login.

    Each step may take as long as the server's URL says, but never past ``deadline``
    (``time.monotonic``), which the owner sets for each message. Opening raises ServerDown, or
    NotHandedOver for SystemExit; the other methods raise what ``smtplib`` and ``socket`` raise.
    """

    def __init__(self, server: SmtpServer, deadline: float) -> None:
        self.deadline = deadline
        self._server = server
        self._opened: smtplib.SMTP | None = None
        #: How many answers are not read yet.
        self._owed = 0
        try:
            self._opened = self._connect()
            if self._opened.sock is not None:
                # The final dot is a packet of its own; it must not wait for the text's ACK.
                self._opened.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open()
        except BaseException as error:
            self.close()
            # A time limit that ends here counts too: nothing was handed over.
            if isinstance(error, Exception):
                raise ServerDown(self._without_password(in_words(error))) from error
            if isinstance(error, SystemExit):
                raise NotHandedOver(error.code) from error
            raise

    def _connect(self) -> smtplib.SMTP:
        server, patience = self._server, self._patience()
        if server.tls is Tls.IMPLICIT:
            return smtplib.SMTP_SSL(
                server.host, server.port, server.helo, timeout=patience, context=self._context()
            )
        return smtplib.SMTP(server.host, server.port, server.helo, timeout=patience)

    def _open(self) -> None:
        self._greet()
        if self._server.tls is Tls.STARTTLS:
            self._patient().starttls(context=self._context())
            self._greet()
        if self._server.user is not None:
            self._patient().login(self._server.user, self._server.password)

    def _greet(self) -> None:
        code, words = self._patient().ehlo()
        if code // 100 == 5:
            code, words = self._patient().helo()
        if code // 100 != 2:
            raise smtplib.SMTPHeloError(code, words)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._server.ca)

    def _without_password(self, words: str) -> str:
        password = self._server.password
        return words.replace(password, "***") if password else words

    @property
    def described(self) -> str:
        """The encryption and the login, in words."""
        encrypted = {Tls.NONE: "in the clear"}.get(self._server.tls, "TLS, certificate verified")
        user = self._server.user
        return f"{encrypted}, " + (f"logged in as {user}" if user else "without a login")

    @property
    def takes_several(self) -> bool:
        """Whether the server says that commands may go out together (RFC 2920)."""
        return self._smtp.has_extn("pipelining")

    def say(self, commands: tuple[str, ...]) -> Iterator[ServerAnswer]:
        """Yield the answers to the commands.

        They are sent together if the server accepts that, else one after the other.
        """
        if not self.takes_several:
            yield from map(self.ask, commands)
            return
        self.tell(commands)
        yield from self.answers()

    def tell(self, commands: tuple[str, ...]) -> None:
        """Send the commands together, without reading answers."""
        self._patient().send("".join(f"{command}\r\n" for command in commands))
        self._owed = len(commands)

    def answers(self) -> Iterator[ServerAnswer]:
        """Yield the answers that are not read yet."""
        while self._owed:
            self._owed -= 1
            yield self.answer()

    def ask(self, command: str) -> ServerAnswer:
        """Send one command, and return its answer."""
        self._patient().putcmd(command)
        return self.answer()

    def answer(self, *, to_the_end: bool = False) -> ServerAnswer:
        """Return the next answer; ``to_the_end`` waits for it until the deadline."""
        code, words = self._patient(to_the_end=to_the_end).getreply()
        return ServerAnswer(code, words.decode("utf-8", "replace"))

    def write(self, content: bytes) -> None:
        """Send bytes; this may take until the deadline."""
        self._patient(to_the_end=True).send(content)

    def has_spoken(self) -> bool:
        """Return whether there is something to read: data, or the end of the connection."""
        smtp = self._smtp
        if smtp.sock is None or smtp.file is None:
            return True
        if isinstance(smtp.sock, ssl.SSLSocket) and smtp.sock.pending():
            return True
        if select([smtp.sock], [], [], 0)[0]:
            return True
        # The last read may have buffered more than its answer; the socket does not show that.
        smtp.sock.settimeout(0)
        try:
            return bool(smtp.file.peek())
        except ssl.SSLWantReadError:
            return False
        except OSError:
            # The connection broke in the meantime.
            return True

    def close(self) -> None:
        """Close it without a goodbye."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _smtp(self) -> smtplib.SMTP:
        assert self._opened is not None
        return self._opened

    def _patient(self, *, to_the_end: bool = False) -> smtplib.SMTP:
        """Return the connection, with the timeout for the next step set."""
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(self._patience(to_the_end=to_the_end))
        return self._smtp

    def _patience(self, *, to_the_end: bool = False) -> float:
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("it took too long in all")
        return left if to_the_end else min(left, self._server.timeout)


def in_words(error: Exception) -> str:
    """Return an error in words, the server's own if there are any."""
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

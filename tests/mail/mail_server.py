"""A real SMTP server (aiosmtpd) that can misbehave at each step, and keeps a log of its own."""

import asyncio
import signal
import ssl
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from enum import Enum
from pathlib import Path
from threading import Event, Thread
from traceback import walk_stack
from types import FrameType
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import SmtpServer, Tls
from tests.platform.ports import free_port

TLS: Final = Path(__file__).parent / "tls"
#: Every step at which the server can act, in order; "dot": the text is whole, and not accepted yet.
STEPS: Final = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "text", "dot", "accepted")


class Manner(Enum):
    """What a server can do beside answering."""

    DROP = "drop"
    #: Never answer; the client's time is over as soon as it waits for the answer.
    STALL = "stall"
    #: Never answer.
    SILENT = "silent"


#: A reply instead of the usual one, a manner, or what is to happen before the usual reply (or, if
#: it returns DROP, before the connection is dropped).
Action = str | Manner | Callable[[], object]


@dataclass
class MailServer:
    """One server on a port of its own, which it keeps when it is stopped and started again.

    ``once`` holds what happens the next time at a step, ``always`` what happens every time, and
    ``by_recipient`` what happens when this recipient is named.
    ``accepted`` is what arrived: Message-ID and recipient, in order.
    """

    tls: Tls = Tls.NONE
    #: Whether it says that it takes several commands at once.
    pipelining: bool = False
    login: tuple[str, str] | None = None
    once: defaultdict[str, deque[Action]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Action] = field(default_factory=dict)
    by_recipient: dict[str, Action] = field(default_factory=dict)
    accepted: list[tuple[str, str]] = field(default_factory=list)
    #: The envelope senders of what arrived.
    senders: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: Thread | None = None
    _server: asyncio.Server | None = None
    _open: set["_Connection"] = field(default_factory=set)
    #: Whether the client's time is over, of a connection that stalls.
    _timed_out: Event = field(default_factory=Event)

    @property
    def connections(self) -> int:
        """How many connections there were."""
        return self.steps.count("greeting")

    @property
    def copies(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(recipient for _, recipient in self.accepted)

    def client(self, **values: Any) -> SmtpServer:
        """Return the server as a client's URL would name it."""
        user, password = self.login or (None, "")
        given = {"timeout": 40.0, "helo": "client.example", "ca": str(TLS / "ca.pem"), **values}
        return SmtpServer("127.0.0.1", self.port, self.tls, user, password, **given)

    def transport(self) -> SmtpTransport:
        """Return a worker's way to the server."""
        return SmtpTransport(self.client())

    @property
    def url(self) -> str:
        """The URL by which a worker finds the server (in the clear)."""
        return f"smtp://127.0.0.1:{self.port}?helo=client.example"

    def start(self) -> None:
        """Listen, on the port of before."""
        self.port = self.port or free_port()
        self._loop = asyncio.new_event_loop()
        implicit = _context() if self.tls is Tls.IMPLICIT else None
        listening = self._loop.create_server(
            lambda: _Connection(self, self._loop), "127.0.0.1", self.port, ssl=implicit
        )
        self._server = self._loop.run_until_complete(listening)
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on, and drop those that are open."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=120)
        self._loop.close()
        self._loop = self._thread = self._server = None

    def drop_connections(self) -> None:
        """Close what is open, as a server does with what lay idle; more may come."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(timeout=120)

    def wait_until_nobody_is_there(self) -> None:
        """Wait until every client has closed its connection."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._emptied(), self._loop).result(timeout=120)

    async def stall(self) -> None:
        """Let the time be over of the client, once it waits for an answer: in the test's thread, as
        if its socket had said so. A busy machine's pause elsewhere is no silence.
        """
        self._timed_out.clear()
        while self._open and not self._timed_out.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
            await asyncio.sleep(0.01)

    def end_wait(self, _signal: int, frame: FrameType | None) -> None:
        """Raise TimeoutError in whoever waits for an answer."""
        waits = any(each.f_code.co_name == "getreply" for each, _ in walk_stack(frame))
        if waits and not self._timed_out.is_set():
            self._timed_out.set()
            raise TimeoutError("timed out")

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._drop()

    async def _drop(self) -> None:
        for connection in list(self._open):
            connection.drop()
        await self._emptied()

    async def _emptied(self) -> None:
        while self._open:
            await asyncio.sleep(0.001)

    def action_at(self, step: str, said: str) -> Action | None:
        """Note the step, and return what is to happen at it; ``said`` is the client's word."""
        self.steps.append(step)
        waiting = self.once[step]
        if waiting:
            return waiting.popleft()
        theirs = [act for address, act in self.by_recipient.items() if f"<{address}>" in said]
        return theirs[0] if step == "RCPT" and theirs else self.always.get(step)

    def came(self, connection: "_Connection") -> None:
        """Note an open connection."""
        self._open.add(connection)

    def went(self, connection: "_Connection") -> None:
        """Note that it closed."""
        self._open.discard(connection)

    def accept(self, content: bytes, recipient: str, sender: str) -> None:
        """Keep a message, and its envelope."""
        self.senders.append(sender)
        self.accepted.append((message_from_bytes(content)["Message-ID"], recipient))
        self.contents.append(content)


@contextmanager
def mail_server(**values: Any) -> Iterator[MailServer]:
    """Run a server for the body's time."""
    server = MailServer(**values)
    server.start()
    before = signal.signal(signal.SIGUSR2, server.end_wait)
    try:
        yield server
    finally:
        server.stop()
        signal.signal(signal.SIGUSR2, before)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    return context


class _Connection(SMTP):
    """One session of aiosmtpd that asks, at each step, what is to happen."""

    def __init__(self, owner: MailServer, loop: Any) -> None:
        self._owner = owner

        def authenticate(*args: Any) -> AuthResult:
            given: LoginPassword = args[4]
            right = (given.login.decode(), given.password.decode()) == owner.login
            return AuthResult(success=right, handled=False)

        super().__init__(
            None,
            hostname="mail.test",
            timeout=600,
            tls_context=_context() if owner.tls is Tls.STARTTLS else None,
            auth_required=owner.login is not None and owner.tls is Tls.STARTTLS,
            auth_require_tls=owner.tls is Tls.STARTTLS,
            authenticator=authenticate if owner.login else None,
            loop=loop,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._owner.came(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._owner.went(self)

    def drop(self) -> None:
        """Close without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def drop_gently(self) -> None:
        """Close when what was said has been written."""
        if self.transport is not None:
            self.transport.close()

    async def _acts(self, step: str, said: str | None = None) -> bool:
        """Whether something else happened than the usual reply."""
        match self._owner.action_at(step, said or ""):
            case None:
                return False
            case Manner.DROP:
                self.drop()
            case Manner.STALL:
                await self._owner.stall()
                await asyncio.sleep(600)
            case Manner.SILENT:
                await asyncio.sleep(600)
            case str(reply):
                await self.push(reply)
            case action:
                assert callable(action)
                if action() is not Manner.DROP:
                    return False
                self.drop()
        return True

    async def _handle_client(self) -> None:
        if await self._acts("greeting"):
            self.drop_gently()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 -- aiosmtpd's
        if await self._acts("EHLO"):
            return
        if self._owner.pipelining:
            await self.push("250-mail.test\r\n250-PIPELINING")
        await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 -- aiosmtpd's
        if not await self._acts("HELO"):
            await super().smtp_HELO(hostname)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 -- aiosmtpd's
        if not await self._acts("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 -- aiosmtpd's
        if not await self._acts("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_RSET(self, arg: str | None) -> None:  # noqa: N802 -- aiosmtpd's
        if not await self._acts("RSET"):
            await super().smtp_RSET(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: ARG002, N802 -- aiosmtpd's
        if await self._acts("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 no recipient")
            return
        await self.push("354 go on")
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            if not lines and await self._acts("text"):
                return
            lines.append(line[1:] if line.startswith(b".") else line)
        if await self._acts("dot"):
            return
        [recipient] = self.envelope.rcpt_tos
        self._owner.accept(b"".join(lines), recipient, self.envelope.mail_from or "")
        if await self._acts("accepted"):
            return
        self.envelope = self._create_envelope()
        await self.push("250 taken")

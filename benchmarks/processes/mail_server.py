"""The mail server of W9: aiosmtpd in a process of its own, which takes everything and counts it."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Taken:
    """The messages that the server took: how many, how many bytes, on how many connections."""

    messages: int = 0
    octets: int = 0
    connections: int = 0


class MailServer:
    """A running server, seen from outside of its process."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe
        self.port: int = pipe.recv()

    def taken(self) -> Taken:
        """Return what was taken since this was last asked."""
        self._pipe.send("taken")
        found: Taken = self._pipe.recv()
        return found


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run the server for the body's time."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield MailServer(ours)
    finally:
        process.terminate()
        process.join()
        process.close()


class _Counting:
    """The handler for aiosmtpd: it counts messages, bytes and greetings."""

    def __init__(self) -> None:
        self.taken = Taken()

    def count(self, *, messages: int = 0, octets: int = 0, connections: int = 0) -> None:
        """Add to what was taken."""
        now = self.taken
        self.taken = Taken(
            now.messages + messages, now.octets + octets, now.connections + connections
        )

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Greet, and offer what Postfix, Exim and the large providers offer."""
        session.host_name = hostname
        self.count(connections=1)
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take the message, and forget it."""
        assert envelope.content is not None
        self.count(messages=1, octets=len(envelope.content))
        return "250 taken"


def _serve(pipe: "Connection[Any, Any]") -> None:
    asyncio.run(_serving(pipe))


async def _serving(pipe: "Connection[Any, Any]") -> None:
    counting, loop = _Counting(), asyncio.get_running_loop()

    def answer() -> None:
        pipe.recv()
        pipe.send(counting.taken)
        counting.taken = Taken()

    server = await loop.create_server(
        lambda: SMTP(counting, hostname="mail.bench", loop=loop), "127.0.0.1", 0
    )
    loop.add_reader(pipe.fileno(), answer)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()

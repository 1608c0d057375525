"""A worker process that is killed with SIGKILL at a point that its test names.

It is forked from a server process that has read the code already, and works on real connections.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy
from sqlalchemy import event

from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import SmtpServer
from halo_engine.mail.transports.transports import Announcing, Mail, Transport
from halo_engine.pipeline.due import PostOffice
from tests.mail.post_office import SENDER
from tests.sql.sent import name_in

_PATIENCE_SECONDS: Final = 120
_SMTP_SECONDS: Final = 60
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.mail.victim"])

#: The transactions of a tick with two emails, told apart by a statement that only they have.
_TRANSACTIONS: Final = {
    "lease_rows": "lease",
    "record_intent": "intent",
    "stamp_contacted": "close",
}


@dataclass(frozen=True)
class Orders:
    """What a worker process works on, when, and at which point it dies by its own hand.

    A point of the database is ``("before" | "after", transaction, number)``, counted from one.
    """

    database_url: str
    org_id: UUID
    server: SmtpServer
    now: datetime
    dies_at: tuple[str, str, int] | None = None


def tick(orders: Orders, database: sqlalchemy.Engine) -> None:
    """Do here, on connections that are open already, what a worker's tick does."""
    with closing(SmtpTransport(orders.server, within_seconds=_SMTP_SECONDS)) as smtp:
        _tick(orders, database, smtp)


def start(orders: Orders, *, on_start: Callable[[int], None] = lambda _: None) -> int | None:
    """Run a worker's tick in a process of its own; return its exit status, negative for a signal.

    ``on_start`` is told its process id before it has begun.
    """
    ready, go = _context.Event(), _context.Event()
    process = _context.Process(target=_work, args=(orders, ready, go))
    process.start()
    try:
        assert ready.wait(_PATIENCE_SECONDS)
        assert process.pid is not None
        on_start(process.pid)
        go.set()
        process.join(_PATIENCE_SECONDS)
        return process.exitcode
    finally:
        process.kill()
        process.join()
        process.close()


def _work(orders: Orders, ready: Any, go: Any) -> None:
    database = create_engine(orders.database_url, application_name="halo-victim", pool_size=1)
    smtp = SmtpTransport(orders.server, within_seconds=_SMTP_SECONDS)
    transport: Transport = smtp
    if orders.dies_at is not None:
        transport = _Watched(smtp, _watch(database, orders.dies_at))
    ready.set()
    go.wait(_PATIENCE_SECONDS)
    _tick(orders, database, transport)
    database.dispose()


def _tick(orders: Orders, database: sqlalchemy.Engine, transport: Transport) -> None:
    post = PostOffice(transport, SENDER)
    for _ in Engine(database, post, clock=lambda: orders.now).tick(orders.org_id):
        pass


@dataclass(frozen=True)
class _Watched(Announcing):
    """A way out that says when it is asked: then an intent is committed."""

    transport: SmtpTransport
    asked: Callable[[], None]

    def announce(self, mail: Mail) -> None:
        """Announce the mail."""
        self.transport.announce(mail)

    def retract(self) -> None:
        """Take back what was announced."""
        self.transport.retract()

    def send(self, mail: Mail, key: str) -> None:
        """Send the mail."""
        self.asked()
        self.transport.send(mail, key)


def _watch(database: sqlalchemy.Engine, dies_at: tuple[str, str, int]) -> Callable[[], None]:
    """Die right before, or right after, the commit of the transaction that is named.

    What is returned is to be called when something was committed.
    """
    when, transaction, number = dies_at
    seen: list[str] = []
    written: set[str] = set()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        name = name_in(statement)
        written.update([_TRANSACTIONS[name]] if name in _TRANSACTIONS else [])

    def commit(*_: Any) -> None:
        seen.extend(written)
        written.clear()
        if when == "before" and seen.count(transaction) == number:
            _die()

    def committed(*_: Any) -> None:
        if when == "after" and seen.count(transaction) == number:
            _die()

    event.listen(database, "before_cursor_execute", note)
    event.listen(database, "commit", commit)
    event.listen(database, "checkin", committed)
    return committed


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

"""W9: mails over SMTP, from due rows to a server that takes them.

The engine keeps its guarantees: each intent is committed before the message is sent and each
outcome after it, one at a time, so a kill leaves at most one message of unknown outcome for each
connection (contract §9). The bare loop stores nothing.
"""

import smtplib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import process_time
from typing import Any
from uuid import UUID

from benchmarks import newsletter, sql
from benchmarks.ground import Crowd, Ground
from benchmarks.measuring import Side, alternate
from benchmarks.processes.mail_server import MailServer, Taken, mail_server
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.ticking import contact_window
from halo_engine.domain.series.email import Email
from halo_engine.engine import Engine
from halo_engine.mail.composing.links import LinkBases, MailLinks
from halo_engine.mail.composing.mail_parts import Footer
from halo_engine.mail.composing.message import write_mail
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import SmtpServer, Tls
from halo_engine.mail.transports.transports import Mail, Transport
from halo_engine.pipeline.due import PostOffice

_NEWS = {
    "kind": "marketing",
    "entry_trigger": "user_created",
    "steps": [
        {
            "key": "news",
            "email": {
                "subject": "News for {{ name|you }}",
                "body": "Dear {{ name|friend }},\n\nthere is news about your plan"
                " {{ custom:plan|free }}.\nRead it at https://acme.example/news?from={{ email }}."
                "\n\nYours,\nAcme\n",
            },
        },
    ],
}
_NEWSLETTER = {
    "kind": "marketing",
    "entry_trigger": "user_created",
    "steps": [{"key": "news", "email": newsletter.EMAIL}],
}
_SENDER = Sender(
    "Acme", "hello@acme.example", LinkBases(unsubscribe="https://acme.example/unsubscribe")
)
_TRACKING = replace(
    _SENDER, bases=LinkBases("https://acme.example/u", tracking="https://acme.example")
)
_HELO = "bench.example"
_WANTED_OF_A_CORE = 5_000


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with ``smtplib`` sending the same messages on one connection to the same server."""
    yield _measured(ground, size, "mails over SMTP", (_NEWS, _SENDER), Target(0.5, least=True))
    what = f"mails of {len(newsletter.PAGE.encode()) // 1000} KB of HTML over SMTP, links tracked"
    yield _measured(ground, size, what, (_NEWSLETTER, _TRACKING), Target(0.6, least=True))
    yield _limited(ground, size)
    yield _composed(size)


def _limited(ground: Ground, size: Size) -> Row:
    """Compare with two caps and a window of each contact's clock with the same without both."""
    zoned: Mapping[str, Any] = {**_NEWS, "settings": {"send_window": contact_window()}}
    crowds = [ground.crowd(max(size.crowds[0], size.mails), name) for name in ("capped", "free")]
    for crowd in crowds:
        crowd.run(sql.ZONES)
    crowds[0].run(sql.CAPS)
    with mail_server() as server:
        on, off = (
            Mailing(crowd, server, size.mails, series, _SENDER)
            for crowd, series in zip(crowds, (zoned, _NEWS), strict=True)
        )
        taken = alternate([Side(each.prepare, each.engine) for each in (on, off)], size.rounds)
        on.close()
        off.close()
    for crowd in crowds:
        ground.drop(crowd)
    return Row(
        workload="W9",
        what="mails over SMTP, two caps and contacts' zones",
        size=size.mails,
        of="mails",
        engine=size.mails / taken.seconds(0),
        against=size.mails / taken.seconds(1),
        compared_with="without",
        ratio=taken.ratio(0, 1),
        target=Target(1.15),
        unit="/s",
        details={"rounds": taken.rounds},
    )


def _measured(
    ground: Ground,
    size: Size,
    what: str,
    mail: tuple[Mapping[str, Any], Sender],
    target: Target,
) -> Row:
    crowd = ground.crowd(max(size.crowds[0], size.mails), "mailing")
    with mail_server() as server:
        mailing = Mailing(crowd, server, size.mails, *mail)
        sides = Side(mailing.prepare, mailing.engine), Side(mailing.prepare, mailing.floor)
        taken = alternate(sides, size.rounds)
        mailing.close()
    ground.drop(crowd)
    return Row(
        workload="W9",
        what=what,
        size=size.mails,
        of="mails",
        engine=size.mails / taken.seconds(0),
        against=size.mails / taken.seconds(1),
        compared_with="bare smtplib",
        ratio=taken.ratio(1, 0),
        target=target,
        unit="/s",
        details={"rounds": taken.rounds, "octets": mailing.octets // size.mails},
    )


def _composed(size: Size) -> Row:
    """Write different mails of the newsletter, in seconds of one core."""
    email, made = Email(**newsletter.EMAIL), 0
    footer, now = Footer("Acme Inc, 1 Main St", is_marketing=True), datetime.now(UTC)
    begun = process_time()
    for number in range(1, size.mails + 1):
        address = f"zoe{number}@acme.example"
        values = {"name": f"Zoë {number}", "email": address, "custom:plan": "pro"}
        links = MailLinks(_TRACKING.bases, UUID(int=1), bytes(32), number, None)
        mail = write_mail(
            email, values, sender=_TRACKING, to=address, footer=footer, links=links, now=now
        )
        made += len(mail.content)
    engine = size.mails / (process_time() - begun)
    return Row(
        workload="W9",
        what="such mails composed, by one core",
        size=size.mails,
        of="mails",
        engine=engine,
        against=_WANTED_OF_A_CORE,
        compared_with="wanted",
        ratio=engine / _WANTED_OF_A_CORE,
        target=Target(1, least=True),
        unit="/s",
        details={"octets": made // size.mails},
    )


class _Kept:
    """A transport that keeps the mails."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Keep the mail."""
        self.mails.append(mail)


class Mailing:
    """Rows due at the email of one series, and their messages."""

    def __init__(
        self,
        crowd: Crowd,
        server: MailServer,
        mails: int,
        series: Mapping[str, Any],
        sender: Sender,
    ) -> None:
        self._crowd = crowd
        self._sender = sender
        self._server = server
        self._mails = mails
        crowd.run(sql.MAY_SEND)
        self._series = [crowd.draft("w9", **series)]
        crowd.activate("w9")
        self._transport = SmtpTransport(SmtpServer("127.0.0.1", server.port, Tls.NONE, helo=_HELO))
        self._engine = self._sending(self._transport)
        self._written = self._write()

    def prepare(self) -> None:
        """Place the runs anew, each with its email due."""
        self._crowd.clear()
        self._crowd.set_up(*sql.DUE, due=self._mails, series=self._series)
        self._crowd.rest("automation_enrollments", "automation_recipients", "end_users")
        self._server.taken()

    def engine(self) -> None:
        """Tick until nothing is due."""
        self._tick(self._engine)
        self._check(self._server.taken())

    def floor(self) -> None:
        """Send the same messages, one after the other."""
        with smtplib.SMTP("127.0.0.1", self._server.port, _HELO) as smtp:
            for mail in self._written:
                smtp.sendmail(mail.sender, mail.recipient, mail.content)
        self._check(self._server.taken())

    def close(self) -> None:
        """Give up the engine's connection."""
        self._transport.close()

    @property
    def octets(self) -> int:
        """The size of all messages, in bytes."""
        return sum(len(mail.content) for mail in self._written)

    def _sending(self, transport: Transport) -> Engine:
        return Engine(self._crowd.database, PostOffice(transport, self._sender))

    def _tick(self, engine: Engine) -> None:
        for _ in engine.tick(self._crowd.org_id):
            pass
        assert self._crowd.run(sql.MAILED) == [(self._mails,)]

    def _write(self) -> Sequence[Mail]:
        """Let the engine write its messages for the bare loop."""
        self.prepare()
        kept = _Kept()
        self._tick(self._sending(kept))
        # PostgreSQL has statistics of the send log, as on an installation that has sent mail
        # before.
        self._crowd.rest("messages")
        return kept.mails

    def _check(self, taken: Taken) -> None:
        assert taken.messages == self._mails == len(self._written)
        # Message-ID, date and tokens differ from run to run, but not in their length.
        assert taken.octets == self.octets

"""W9: mails over SMTP, from due rows to a server that takes them.

The engine keeps its guarantees: each intent is committed before the message leaves and each outcome
after it, one at a time, so a kill leaves at most one message per connection whose outcome nobody
knows (contract §9). The bare loop stores nothing about what it sent.
"""

import smtplib
from collections.abc import Iterator, Sequence

from benchmarks import sql
from benchmarks.ground import Crowd, Ground
from benchmarks.mail_server import MailServer, Taken, mail_server
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine.delivery.links import LinkBases
from halo_engine.delivery.message import Sender
from halo_engine.delivery.smtp import SmtpTransport
from halo_engine.delivery.smtp_url import SmtpServer, Tls
from halo_engine.delivery.transports import Mail, Transport
from halo_engine.engine import Engine
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
_SENDER = Sender(
    "Acme", "hello@acme.example", LinkBases(unsubscribe="https://acme.example/unsubscribe")
)
_HELO = "bench.example"


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with ``smtplib`` sending the same messages on one connection to the same server."""
    crowd = ground.crowd(max(size.crowds[0], size.mails), "mailing")
    with mail_server() as server:
        mailing = Mailing(crowd, server, size.mails)
        sides = Side(mailing.prepare, mailing.engine), Side(mailing.prepare, mailing.floor)
        taken = alternate(sides, size.rounds)
        mailing.close()
    ground.drop(crowd)
    yield Row(
        workload="W9",
        what="mails over SMTP",
        size=size.mails,
        of="mails",
        engine=size.mails / taken.seconds(0),
        against=size.mails / taken.seconds(1),
        compared_with="bare smtplib",
        ratio=taken.ratio(1, 0),
        target=Target(0.5, least=True),
        unit="/s",
        details={"rounds": taken.rounds},
    )


class _Kept:
    """A way out that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Keep the mail."""
        self.mails.append(mail)


class Mailing:
    """Rows due at the email of one series, and the messages that they come to."""

    def __init__(self, crowd: Crowd, server: MailServer, mails: int) -> None:
        self._crowd = crowd
        self._server = server
        self._mails = mails
        crowd.run(sql.MAY_SEND)
        self._series = [crowd.draft("w9", **_NEWS)]
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

    def _sending(self, transport: Transport) -> Engine:
        return Engine(self._crowd.database, PostOffice(transport, _SENDER))

    def _tick(self, engine: Engine) -> None:
        for _ in engine.tick(self._crowd.org_id):
            pass
        assert self._crowd.run(sql.MAILED) == [(self._mails,)]

    def _write(self) -> Sequence[Mail]:
        """Let the engine write its messages for the bare loop."""
        self.prepare()
        kept = _Kept()
        self._tick(self._sending(kept))
        # PostgreSQL knows the ledger, as it does where mails were sent before.
        self._crowd.rest("messages")
        return kept.mails

    def _check(self, taken: Taken) -> None:
        assert taken.messages == self._mails == len(self._written)
        # Message-ID, date and tokens differ from run to run, in no more than their letters.
        assert taken.octets == sum(len(mail.content) for mail in self._written)

"""The envelope that goes ahead while a message's intent is being committed (contract §9)."""

from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import insert

from halo_engine.database import run_in_transaction
from halo_engine.mail.sending.stops import start_sending, stop_sending
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.smtp_url import Tls
from halo_engine.mail.transports.transports import Announcing, Mail, MemoryTransport, OutcomeUnknown
from halo_engine.tables import messages, suppressions
from tests.contacts.sandbox import NOW
from tests.mail.mail_server import Action, MailServer, Manner, mail_server
from tests.mail.post_office import HELLO, PostOffice
from tests.mail.sending.test_sending import Worker
from tests.mail.transports.test_smtp import ANSWERS, letter, send


@pytest.fixture(params=[Tls.NONE, Tls.IMPLICIT])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """A mail server that takes several commands at once."""
    with mail_server(pipelining=True, tls=request.param) as server:
        yield server


@pytest.fixture
def transport(server: MailServer) -> Iterator[SmtpTransport]:
    """A transport that has sent message 1, and keeps the connection."""
    transport = SmtpTransport(server.client())
    send(transport, 1)
    yield transport
    transport.close()


def wait_for_envelopes(server: MailServer, number: int) -> None:
    """Wait until the server has answered to so many envelopes."""
    latest = monotonic() + 120
    while server.steps.count("DATA") < number:
        assert monotonic() < latest, server.steps


def arrived(server: MailServer) -> list[str]:
    """Return the recipients of what arrived, in order."""
    return [recipient.partition("@")[0] for _, recipient in server.accepted]


def test_an_announced_envelope_is_dealt_with_before_the_message_comes(
    server: MailServer, transport: SmtpTransport
) -> None:
    """The server has answered MAIL, RCPT and DATA, each once, before the message comes."""
    for number in (2, 3):
        transport.announce(letter(number))
        transport.announce(letter(number))
        wait_for_envelopes(server, number)
        assert len(server.accepted) == number - 1
        send(transport, number)
    assert arrived(server) == ["ann1", "ann2", "ann3"]
    assert server.contents == [letter(number).content for number in (1, 2, 3)]
    assert server.steps.count("MAIL") == 3
    assert server.connections == 1


@pytest.mark.parametrize(
    ("step", "action", "meaning", "broke_off"),
    [each for each in ANSWERS if each[0] not in ("greeting", "EHLO")],
)
def test_what_an_answer_means_to_an_announced_message(
    step: str, action: Action, meaning: type[Exception], broke_off: bool | None
) -> None:
    """Each answer means the same as to any other message, and the next message gets through."""
    if step == "MAIL" and isinstance(action, Manner):
        broke_off = True  # it may have been the recipient, which was named by then
    with mail_server(pipelining=True) as server:
        transport = server.transport()
        send(transport, 1)
        server.always[step] = action
        transport.announce(letter(2))
        with pytest.raises(meaning) as raised:
            send(transport, 2)
        assert type(raised.value) is meaning
        assert getattr(raised.value, "broke_off", None) is broke_off
        if isinstance(action, str) and meaning is not OutcomeUnknown:
            assert action in str(raised.value)
        assert arrived(server) == (["ann1", "ann2"] if step == "accepted" else ["ann1"])
        del server.always[step]
        transport.announce(letter(3))
        send(transport, 3)
        assert arrived(server)[-1] == "ann3"
        transport.close()


def test_a_connection_that_breaks_after_the_envelope_is_replaced(
    server: MailServer, transport: SmtpTransport
) -> None:
    """If the server times out waiting for the text, the mail is sent on a new connection."""
    transport.announce(letter(2))
    wait_for_envelopes(server, 2)
    server.drop_connections()
    send(transport, 2)
    server.drop_connections()
    transport.announce(letter(3))
    send(transport, 3)
    assert arrived(server) == ["ann1", "ann2", "ann3"]
    assert server.connections == 3


@pytest.mark.parametrize(
    "instead",
    [
        lambda transport: transport.retract(),
        lambda transport: transport.announce(letter(3)),
        lambda transport: transport.close(),
        lambda transport: transport.check(),
        lambda _: None,
    ],
    ids=["retracted", "another announced", "closed", "checked", "another sent"],
)
def test_what_was_announced_and_never_sent_is_no_message(
    server: MailServer, transport: SmtpTransport, instead: Callable[[SmtpTransport], object]
) -> None:
    """An announced envelope whose text never comes is no message, and later ones get through."""
    transport.announce(letter(2))
    wait_for_envelopes(server, 2)
    instead(transport)
    send(transport, 3)
    assert arrived(server) == ["ann1", "ann3"]
    send(transport, 2)
    assert arrived(server) == ["ann1", "ann3", "ann2"]
    # Nothing was said after DATA that came to be part of a text.
    assert server.contents == [letter(number).content for number in (1, 3, 2)]
    assert server.steps.count("text") == 3


def test_nothing_is_announced_without_a_connection_that_takes_it() -> None:
    """Neither the first message is announced, nor one to a server without pipelining."""
    with mail_server(pipelining=True) as server:
        transport = SmtpTransport(server.client())
        transport.announce(letter(1))
        transport.retract()
        assert server.steps == []
    with mail_server(pipelining=False) as server:
        transport = SmtpTransport(server.client())
        send(transport, 1)
        said = list(server.steps)
        transport.announce(letter(2))
        transport.retract()
        send(transport, 2)
        transport.close()
        assert server.connections == 1
        assert server.steps == said + said[said.index("MAIL") :]


def _suppress_bob(office: PostOffice) -> None:
    values = {"org_id": office.org_id, "address": "bob@a.example", "bounced_at": NOW}
    with office.database.begin() as connection:
        connection.execute(insert(suppressions).values(values))


def test_an_intent_that_is_withheld_takes_the_envelope_back(office: PostOffice) -> None:
    """If a contact is suppressed just before its intent, its envelope is withdrawn and the next
    mail goes out.
    """
    with mail_server(pipelining=True) as server:
        worker = Worker(office, server)
        series = office.series(HELLO)
        rows = office.enroll(series, *[office.contact(name) for name in ("Ann", "Bob", "Cyd")])
        server.once["accepted"].append(partial(_suppress_bob, office))
        worker.tick()
        assert arrived(server) == ["ann", "cyd"]
        # The envelope for Bob had gone out: only to close the connection took it back.
        assert server.connections == 2
        worker.transport.close()
    assert office.row(rows[1], "status", "exit_reason") == ("exited", "suppressed")
    assert office.rows(messages, "state") == [("sent",), ("sent",)]


def test_a_stop_takes_the_envelope_back(office: PostOffice) -> None:
    """At the end of a batch no server is left with an envelope, and later each mail arrives
    once.
    """
    [org] = office.transact(lambda work: [work.org.key])

    def change(of: Callable[..., Any], *args: Any) -> None:
        run_in_transaction(office.database, lambda connection: of(connection, org, *args))

    with mail_server(pipelining=True) as server:
        worker = Worker(office, server)
        office.enroll(office.series(HELLO), office.contact("Ann"), office.contact("Bob"))
        server.once["accepted"].append(lambda: change(stop_sending, "Pat"))
        worker.tick()
        assert arrived(server) == ["ann"]
        server.wait_until_nobody_is_there()
        change(start_sending)
        worker.tick()
        assert arrived(server) == ["ann", "bob"]
        worker.transport.close()


class Ahead(MemoryTransport, Announcing):
    """A transport that works ahead, and notes in which order it is asked for what."""

    def __init__(self, stops_at: int | None = None) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._stops_at = stops_at

    def announce(self, mail: Mail) -> None:
        """Note it; the worker may be told to stop here."""
        self.asked.append(f"announce {mail.recipient}")
        if len(self.sent) == self._stops_at:
            raise SystemExit

    def retract(self) -> None:
        """Note it."""
        self.asked.append("retract")

    def send(self, mail: Mail, key: str) -> None:
        """Note it, and keep the message."""
        self.asked.append(f"send {mail.recipient}")
        super().send(mail, key)


def test_each_message_is_announced_before_its_intent(office: PostOffice) -> None:
    """The envelope goes out before the intent is committed, the message after it."""
    rows = office.enroll(office.series(HELLO), office.contact("Ann"), office.contact("Bob"))
    states: list[list[tuple[Any, ...]]] = []

    class Looking(Ahead):
        def announce(self, mail: Mail) -> None:
            super().announce(mail)
            states.append([office.message(row, "state") for row in rows])

        def send(self, mail: Mail, key: str) -> None:
            super().send(mail, key)
            states.append([office.message(row, "state") for row in rows])

    ahead = Looking()
    office.lease_and_send(ahead)
    ann, bob = "ann@a.example", "bob@a.example"
    one_by_one = [f"announce {ann}", f"send {ann}", "retract"]
    assert ahead.asked == one_by_one + [each.replace(ann, bob) for each in one_by_one]
    assert states == [
        [(), ()],
        [("intended",), ()],
        [("intended",), ()],
        [("sent",), ("intended",)],
    ]


def test_a_worker_that_is_told_to_stop_while_it_announces_knows_everything(
    office: PostOffice,
) -> None:
    """The message before is noted as sent, and the announced one is given back untried."""
    rows = office.enroll(office.series(HELLO), office.contact("Ann"), office.contact("Bob"))
    with pytest.raises(SystemExit):
        office.lease_and_send(Ahead(stops_at=1))
    assert [office.row(row, "status", "attempts") for row in rows] == [
        ("completed", 1),
        ("pending", 0),
    ]
    assert [office.message(row, "state") for row in rows] == [("sent",), ()]

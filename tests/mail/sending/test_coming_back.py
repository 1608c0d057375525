"""Replies and reports are matched to our mail, even if a relay renamed it (§2)."""

from collections.abc import Iterator
from email import message_from_bytes
from uuid import uuid4

import pytest

from halo_engine.domain.mail_names import bounce_address, mails_in_addresses, relay_id_in
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.incoming.receive import Received
from halo_engine.mail.reading.incoming_mail import MailKind
from halo_engine.mail.transports.transports import Transport
from halo_engine.pipeline.due import PostOffice as Post
from halo_engine.pipeline.settle import tick
from halo_engine.tables import messages
from tests.mail.mail_server import MailServer, mail_server
from tests.mail.post_office import HELLO, PostOffice
from tests.mail.reading.test_incoming_mail import FILES, report

#: As Amazon SES answers, and what it then writes into the Message-ID.
RELAY_ID = "0102018f-0000-0000-0000-000000000000-000000"
RELAYED = f"<{RELAY_ID}@eu-west-1.amazonses.com>"
SENDER = Sender("Acme", "hello@acme.example", bounce_domain="bounces.acme.example")


@pytest.fixture(params=[False, True])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """A relay that takes one command at a time, or several at once."""
    with mail_server(pipelining=request.param) as server:
        yield server


def send(office: PostOffice, transport: Transport, *names: str) -> list[str]:
    """Send a mail to each of these; return their Message-IDs."""
    office.enroll(office.series(HELLO), *[office.contact(name) for name in names])
    list(tick(office.transact, Post(transport, SENDER)))
    found = office.rows(messages, "recipient_id", "message_id", "state")
    assert [state for *_, state in found] == ["sent"] * len(names)
    return [str(message_id) for _, message_id, _ in found]


def receive(office: PostOffice, raw: bytes) -> Received:
    """Receive a mail, in an installation that sends from the same domain."""
    post = Post(Silent(), SENDER)
    return Engine(office.database, post, lambda: office.now).receive(raw)


class Silent:
    """A transport that must not be used."""

    def send(self, mail: object, key: str) -> None:
        """Raise."""
        raise AssertionError(mail, key)


def test_our_id_stands_in_references_too(office: PostOffice, server: MailServer) -> None:
    """A relay may replace the Message-ID: reports and replies still refer to ours."""
    transport = server.transport()
    [message_id] = send(office, transport, "Ann")
    transport.close()
    sent = message_from_bytes(server.contents[0])
    assert (sent["Message-ID"], sent["References"]) == (message_id, message_id)
    del sent["Message-ID"]
    sent["Message-ID"] = RELAYED
    bounce = report(("failed", "5.1.1"), returned=f"Content-Type: message/rfc822\n\n{sent}")
    assert receive(office, bounce).message_id == message_id
    answer = f"In-Reply-To: {RELAYED}\nReferences: {message_id} {RELAYED}\n\nHello"
    assert receive(office, answer.encode()).message_id == message_id


def test_each_mail_has_a_bounce_address(office: PostOffice, server: MailServer) -> None:
    """A mail to the bounce address is about its mail, whichever header has the address."""
    transport = server.transport()
    ids = send(office, transport, "Ann", "Bob")
    transport.close()
    addresses = [f"bounce-{id_[1:37].replace('-', '')}@bounces.acme.example" for id_ in ids]
    assert server.senders == addresses
    bare = report(("failed", "5.1.1"), returned="Content-Type: text/plain\n\nnothing")
    for header, message_id, address in (
        ("To", ids[0], addresses[0]),
        ("Delivered-To", ids[1], addresses[1].upper()),
        ("X-Original-To", ids[0], addresses[0]),
        ("Received", ids[1], f"by mx.acme.example for <{addresses[1]}>; Mon, 1 Jun 2026 09:00:00"),
    ):
        came = bare.replace(b"To: hello@acme.example", f"{header}: {address}".encode())
        came = came.replace(b"<report@", f"<{header}@".encode())
        received = receive(office, came)
        assert (received.kind, received.message_id) == (MailKind.HARD_BOUNCE, message_id)


def test_a_relay_that_says_how_it_calls_a_mail_is_understood(
    office: PostOffice, server: MailServer
) -> None:
    """A reply that names only the relay's Message-ID is matched by the relay's answer."""
    # No other test's mail has this one.
    relay_id = f"{uuid4()}-000000"
    server.always["accepted"] = f"250 Ok {relay_id}"
    transport = server.transport()
    [message_id] = send(office, transport, "Ann")
    transport.close()
    assert office.rows(messages, "relay_id") == [(relay_id,)]
    reply = (FILES / "reply-through-ses.eml").read_bytes()
    received = receive(office, reply.replace(RELAY_ID.encode(), relay_id.encode()))
    assert (received.kind, received.message_id) == (MailKind.REPLY, message_id)
    assert office.rows(messages, "replied_at") == [(office.now,)]


def test_a_stranger_to_the_relay_is_nobody(office: PostOffice) -> None:
    """A mail that names no id or address of ours is about none of our mails."""
    received = receive(office, (FILES / "reply-through-ses.eml").read_bytes())
    assert (received.kind, received.message_id) == (MailKind.REPLY, None)
    unknown = report(("failed", "5.1.1")).replace(
        b"hello@acme.example", b"bounce-" + b"0" * 32 + b"@bounces.acme.example"
    )
    assert receive(office, unknown).message_id is None


@pytest.mark.parametrize(
    ("answer", "relay_id"),
    [
        (f"Ok {RELAY_ID}", RELAY_ID),
        (
            "Ok 0102018f2a3b4c5d-1a2b3c4d-1a2b-3c4d-5e6f-1a2b3c4d5e6f-000000",
            "0102018f2a3b4c5d-1a2b3c4d-1a2b-3c4d-5e6f-1a2b3c4d5e6f-000000",
        ),
        ("2.0.0 Ok: queued as 4ZkQ2x1b7gz9sT1", None),
        ("2.0.0 OK 1717232400 5b1f17b1804b1-4212b8e2a2dsm1234567e9.12 - gsmtp", None),
        ("taken", None),
        ("", None),
    ],
)
def test_which_answers_name_a_mail(answer: str, relay_id: str | None) -> None:
    """Only Amazon's answers hold an id that comes back in mails."""
    assert relay_id_in(answer) == relay_id


def test_bounce_addresses_are_read_back() -> None:
    """Bounce addresses are found in any case, each once; longer or shorter ids are none."""
    [mail] = mails_in_addresses(
        [f"<bounce-{'0a' * 16}@b.example>", f"BOUNCE-{'0A' * 16}@b.example"]
    )
    assert bounce_address(mail, "b.example") == f"bounce-{'0a' * 16}@b.example"
    assert mails_in_addresses([f"bounce-{'0a' * 15}@b.example", f"bounce-{'0a' * 17}@b"]) == []

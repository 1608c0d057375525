"""A mail that comes in: it finds its organisation and takes effect once (§2, §3, §6)."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine

from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.incoming.receive import Received, receive
from halo_engine.mail.reading.incoming_mail import MailKind, read_mail
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import bounce_reports, end_users, messages, signals, suppressions
from halo_engine.work import OrgRef
from tests.contacts.racing import at_once
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    add_message,
    add_series,
    new_organization,
    rows,
)
from tests.mail.reading.test_incoming_mail import FILES, mail, report

LATER = NOW + timedelta(hours=1)


class Letterbox:
    """An organisation with a contact to whom a mail of its own Message-ID was sent."""

    def __init__(self, database: Engine, **values: Any) -> None:
        self.database = database
        self.now = NOW
        with database.begin() as connection:
            work = new_organization(connection)
            self.message_id = f"<{work.org_id}@acme.example>"
            self.ann = add_contact(work, "ann", email="ann@a.example")
            series = add_series(work, "welcome", "hello")
            add_message(work, self.ann, series, "hello", message_id=self.message_id, **values)
        self.org = OrgRef(id=work.org_id)
        self.rung: list[Any] = []
        post = PostOffice(MemoryTransport(), Sender("", "halo@halo.example"))
        self.engine = HaloEngine(database, post, lambda: self.now, self.rung.append)

    def receive(self, raw: bytes) -> Received:
        """Take in a mail in which ours is called as in the tests of reading."""
        return self.engine.receive(raw.replace(b"<0f0e@acme.example>", self.message_id.encode()))

    def state(self) -> tuple[list[Any], list[Any], int]:
        """Return the reply, the suppressions, and how many signals there are."""
        return self.engine.ask(
            self.org,
            lambda work: (
                rows(work, messages, "replied_at"),
                rows(work, suppressions, "address", "bounced_at", "complained_at"),
                len(rows(work, signals, "id")),
            ),
        )


REPLY = mail("In-Reply-To: <0f0e@acme.example>", "Message-ID: <r1@b.example>")
BOUNCE = report(("failed", "5.1.1"))
COMPLAINT = (FILES / "arf-abuse.eml").read_bytes()
NOTHING: tuple[list[tuple[datetime | None]], list[Any], int] = ([(None,)], [], 0)


@pytest.fixture
def box(shared_database: Engine) -> Letterbox:
    """Nothing has come in yet."""
    return Letterbox(shared_database)


@pytest.mark.parametrize(
    ("raw", "kind", "state"),
    [
        (REPLY, MailKind.REPLY, ([(NOW,)], [], 1)),
        (BOUNCE, MailKind.HARD_BOUNCE, ([(None,)], [("ann@a.example", NOW, None)], 1)),
        (COMPLAINT, MailKind.COMPLAINT, ([(None,)], [("ann@a.example", None, NOW)], 1)),
        (report(("failed", "4.4.7")), MailKind.SOFT_BOUNCE, NOTHING),
        (report(("failed", "5.7.1")), MailKind.SOFT_BOUNCE, NOTHING),
        (report(("delivered", "2.1.5")), MailKind.AUTOMATIC, NOTHING),
        (
            mail("In-Reply-To: <0f0e@acme.example>", "Auto-Submitted: auto-replied"),
            MailKind.AUTOMATIC,
            NOTHING,
        ),
    ],
)
def test_a_mail_does_what_it_says(box: Letterbox, raw: bytes, kind: MailKind, state: Any) -> None:
    """A reply is noted, a bounce for good and a complaint suppress, and other mail does nothing."""
    received = box.receive(raw)
    assert received == Received(
        kind=kind,
        reason=received.reason,
        message_id=box.message_id,
        id=box.ann,
        suppressed=bool(state[1]),
    )
    assert (received.reason is not None) == (kind in (MailKind.HARD_BOUNCE, MailKind.SOFT_BOUNCE))
    assert box.state() == state


def test_every_bounce_is_counted(box: Letterbox) -> None:
    """A bounce is counted by its reason, for good or not."""
    for raw in (report(("failed", "5.7.1")), BOUNCE):
        box.receive(raw)
    assert box.engine.ask(
        box.org, lambda work: rows(work, bounce_reports, "reason", "for_good")
    ) == [("policy", False)], "the second has the Message-ID of the first"
    box.receive(BOUNCE.replace(b"<report@", b"<another@"))
    assert box.engine.ask(
        box.org, lambda work: rows(work, bounce_reports, "reason", "for_good")
    ) == [
        ("policy", False),
        ("user_unknown", True),
    ]


def test_among_many_organisations_it_finds_its_own(box: Letterbox) -> None:
    """The Message-ID finds the organisation; no other's mail changes, and no other's bell rings."""
    other = Letterbox(box.database)
    box.receive(REPLY)
    assert (box.rung, other.rung) == ([box.org.id], [])
    assert other.state() == NOTHING


def test_a_mail_not_about_one_of_ours_changes_nothing(box: Letterbox) -> None:
    """A mail about an unknown, failed or erased one changes nothing."""
    assert box.engine.receive(REPLY) == Received(kind=MailKind.REPLY)
    assert box.engine.receive(b"") == Received(kind=MailKind.OTHER)
    failed = Letterbox(box.database, state="failed", sent_at=None, error="550 no such user")
    assert failed.receive(REPLY) == Received(kind=MailKind.REPLY)
    assert failed.state() == NOTHING
    box.receive(REPLY)
    box.engine.perform(box.org, lambda work: erase_contact(work, EraseContactCall(contact="ann")))
    assert box.receive(REPLY) == Received(kind=MailKind.REPLY)


def test_a_mail_that_comes_twice_counts_once(box: Letterbox) -> None:
    """The reply keeps its instant; only another reply moves it."""
    box.receive(REPLY)
    box.now = LATER
    assert box.receive(b"Received: by another way\n" + REPLY).again
    assert box.state() == ([(NOW,)], [], 1)
    assert not box.receive(REPLY.replace(b"r1", b"r2")).again
    assert box.state() == ([(LATER,)], [], 2)


@pytest.mark.parametrize("order", sorted(set(permutations([REPLY, BOUNCE, REPLY]))))
def test_any_order_ends_the_same(box: Letterbox, order: tuple[bytes, ...]) -> None:
    """A reply and a bounce arrive once or twice each."""
    for raw in order:
        box.receive(raw)
    assert box.state() == ([(NOW,)], [("ann@a.example", NOW, None)], 2)


def test_of_two_workers_with_one_mail_one_takes_it_in(box: Letterbox) -> None:
    """Of two workers with one mail one takes it in, and the other finds it done."""
    reply = read_mail(REPLY.replace(b"<0f0e@acme.example>", box.message_id.encode()))
    both = at_once(box.database, box.org, *[lambda work: receive(work, reply)] * 2)
    assert sorted(each.again for each in both) == [False, True]
    assert box.state() == ([(NOW,)], [], 1)
    assert box.engine.ask(box.org, lambda work: rows(work, end_users, "last_seen")) == [(NOW,)]

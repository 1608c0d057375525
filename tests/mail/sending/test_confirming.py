"""Sending the mails that ask to confirm a list (contract §9, §16)."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select

from halo_engine.contacts.consent.lists import (
    SubscribeCall,
    UnsubscribeCall,
    subscribe,
    unsubscribe,
)
from halo_engine.contacts.consent.subscriptions import SaveListCall, all_lists, save_list
from halo_engine.contacts.consent.suppression import BounceCall, ComplaintCall, bounce
from halo_engine.engine import Engine
from halo_engine.mail.composing.links import LinkBases
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.confirmations import confirm
from halo_engine.mail.incoming.links import LinkCall
from halo_engine.mail.sending.stops import start_sending, stop_sending
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.smtp import SmtpTransport
from halo_engine.mail.transports.transports import (
    MemoryTransport,
    NotHandedOver,
    OutcomeUnknown,
    RecipientRefused,
    ServerDown,
    TemporaryFailure,
    Transport,
)
from halo_engine.pipeline.agenda import organizations_with_work
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import automation_recipients, confirmations, suppressions
from tests.mail.mail_server import mail_server
from tests.mail.post_office import Refusing
from tests.pipeline.sandbox import NOON, Sandbox, new_sandbox

BASES = LinkBases(confirm="https://halo.acme.example/s")
_numbers = count(1)


class Office(Sandbox):
    """An organisation with the list ``news``, and ann, who asked for it."""

    def send(self, transport: Transport, throttle: Throttle | None = None) -> None:
        """Settle with this transport, as a worker does."""
        sender = Sender("Acme", "hello@acme.example", BASES)
        post = PostOffice(transport, sender, throttle or Throttle())
        engine = Engine(self.database, post, clock=lambda: self.now)
        for _ in engine.settle(self.org_id):
            pass

    def log(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of the log of mails to confirm."""
        found = select(*[confirmations.c[name] for name in columns])
        return self.perform(
            lambda work: [
                tuple(row)
                for row in work.connection.execute(
                    found.where(confirmations.c.org_id == work.org_id).order_by(confirmations.c.id)
                )
            ]
        )


@pytest.fixture
def office(shared_database: Database) -> Office:
    """Ann has asked; the mail waits."""
    made = new_sandbox(shared_database, f"confirming-{next(_numbers)}-{uuid4()}")
    office = Office(made.database, made.org)
    office.perform(
        lambda work: save_list(
            work, SaveListCall(list="news", name="News & more", double_opt_in=True)
        )
    )
    office.contacts(["ann"])
    office.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    return office


def test_the_mail_goes_through_a_real_server_and_its_link_confirms(office: Office) -> None:
    """It names list and organisation, in text and page; nothing in it is tracked."""
    with mail_server() as server:
        transport = SmtpTransport(server.client())
        office.send(transport)
        office.send(transport)
        transport.close()
        [content] = server.contents
    mail = message_from_bytes(content, policy=default)
    assert mail["Subject"] == "Confirm that you want News & more"
    assert mail["From"] == "Acme <hello@acme.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in mail
    parts = [mail.get_body((kind,)) for kind in ("plain", "html")]
    urls = {
        url
        for part in parts
        if part
        for url in re.findall(r"https?://[^\s\"<]+", str(part.get_content()))
    }
    [url] = urls
    assert url.startswith("https://halo.acme.example/s/")
    assert office.log("state", "sent_at", "message_id") == [("sent", NOON, mail["Message-ID"])]
    assert office.count(automation_recipients) == 0
    call = LinkCall(token=url.rpartition("/")[2])
    assert office.perform(lambda work: confirm(work, call)).state == "confirmed"
    [news] = office.perform(all_lists)
    assert (news.subscribers, news.pending) == (1, 0)


def test_a_stop_of_mail_holds_it(office: Office) -> None:
    """It stays due, and goes once mail is started again."""
    transport = MemoryTransport()
    with office.database.begin() as connection:
        stop_sending(connection, office.org.key, "eve")
    office.send(transport)
    assert transport.sent == []
    with office.database.begin() as connection:
        start_sending(connection, office.org.key)
        assert office.org_id in organizations_with_work(connection)
    office.send(transport)
    assert len(transport.sent) == 1
    with office.database.begin() as connection:
        assert office.org_id not in organizations_with_work(connection)


@pytest.mark.parametrize(
    ("left", "states"), [(True, ["dropped"]), (False, ["sent"])], ids=["left", "wants mail again"]
)
def test_who_left_meanwhile_gets_none(office: Office, left: bool, states: list[str]) -> None:
    """Whoever unsubscribed before it asked is asked; whoever did after is not."""
    everything = UnsubscribeCall(contact="ann")
    office.perform(lambda work: unsubscribe(work, everything))
    if not left:
        office.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    office.send(MemoryTransport())
    assert [state for (state,) in office.log("state")] == states


@pytest.mark.parametrize("cause", ["bounced", "complained"])
def test_an_address_that_bounced_or_complained_is_not_asked(office: Office, cause: str) -> None:
    """The log says why; the contact that unsubscribed by complaining asked again after it."""
    if cause == "bounced":
        office.perform(lambda work: bounce(work, BounceCall(contact="ann")))
    else:
        office.perform(lambda work: complain(work, ComplaintCall(contact="ann")))
        office.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    transport = MemoryTransport()
    office.send(transport)
    assert transport.sent == []
    assert office.log("state", "error") == [("failed", "the address gets no mail")]


def test_a_refused_recipient_is_a_bounce(office: Office) -> None:
    """As for the emails of series: for good, where the words say so."""
    office.send(Refusing(RecipientRefused("550 5.1.1 no such user")))
    assert office.log("state", "error") == [("failed", "550 5.1.1 no such user")]
    assert office.count(suppressions, suppressions.c.bounced_at.is_not(None)) == 1


def test_a_mail_that_cannot_be_written_holds_up_no_other(office: Office) -> None:
    """It fails; what was sent before it and after it is noted as sent."""
    office.contacts(["bob"], email="jörg@a.example")
    office.contacts(["cem"])
    for name in ("bob", "cem"):
        call = SubscribeCall(contact=name, list="news")
        office.perform(partial(subscribe, call=call))
    office.send(MemoryTransport())
    assert [state for (state,) in office.log("state")] == ["sent", "failed", "sent"]


def test_what_is_put_off_is_tried_again(office: Office) -> None:
    """After a pause, under the same Message-ID; ten tries at most."""
    busy = Refusing(TemporaryFailure("451 later"))
    for _ in range(20):
        office.send(busy)
        office.now += timedelta(hours=5)
    assert busy.asked == 10
    assert office.log("state", "error", "attempts") == [("failed", "451 later", 10)]


def test_a_server_that_is_down_counts_no_attempt(office: Office) -> None:
    """The mail goes once it is back."""
    office.send(Refusing(ServerDown("refused")))
    assert office.log("state", "attempts") == [("waiting", 0)]
    office.now += timedelta(minutes=2)
    office.send(MemoryTransport())
    assert office.log("state", "attempts") == [("sent", 1)]


def test_a_mail_of_unknown_outcome_is_not_sent_again(office: Office) -> None:
    """Neither if no answer came, nor if the worker died after the intent."""
    office.send(Refusing(OutcomeUnknown("lost")))
    assert office.log("state") == [("unknown",)]
    office.now += timedelta(days=1)
    office.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    with pytest.raises(KeyboardInterrupt):
        office.send(Refusing(KeyboardInterrupt()))
    assert office.log("state") == [("unknown",), ("unknown",)]
    transport = MemoryTransport()
    office.now += timedelta(hours=1)
    office.send(transport)
    assert transport.sent == []


def test_a_worker_that_is_stopped_before_it_gives_the_mail_back(office: Office) -> None:
    """Nothing was handed over: it is due as before."""
    with pytest.raises(SystemExit):
        office.send(Refusing(NotHandedOver()))
    assert office.log("state", "attempts") == [("waiting", 0)]

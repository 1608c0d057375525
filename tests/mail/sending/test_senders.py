"""Who sends an organisation's mail (contract §15)."""

from sqlalchemy import Engine

from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.intent import mail_id
from halo_engine.mail.transports.transports import Mail, MemoryTransport
from halo_engine.pipeline.due import PostOffice as Post
from tests.mail.post_office import HELLO, PostOffice


class Envelopes(MemoryTransport):
    """A transport that keeps envelope senders too."""

    def __init__(self) -> None:
        super().__init__()
        self.senders: list[str] = []

    def send(self, mail: Mail, key: str) -> None:
        """Keep the message and its envelope sender."""
        super().send(mail, key)
        self.senders.append(mail.sender)


def test_an_organisation_can_send_in_its_own_name(shared_database: Engine) -> None:
    """An organisation can set name, address, replies, envelope and Message-ID domain of its
    mail.
    """
    office = PostOffice(
        shared_database,
        mail_from_name="Zoë at Acme",
        mail_from_address="zoe@acme.example.com",
        mail_reply_to="help@acme.example.com",
        mail_bounce_domain="bounces.acme.example.com",
    )
    transport = Envelopes()
    office.enroll(office.series(HELLO), office.contact("Ann"))
    office.lease_and_send(transport)
    [message] = transport.sent
    assert message["From"] == "Zoë at Acme <zoe@acme.example.com>"
    assert message["Reply-To"] == "help@acme.example.com"
    assert message["Message-ID"].rstrip(">").endswith("@acme.example.com")
    assert transport.senders[0].endswith("@bounces.acme.example.com")


def test_a_report_is_known_by_its_envelope_whoever_sent_the_mail(shared_database: Engine) -> None:
    """A report's recipient address names the mail; the organisation's domain completes its ID."""
    office = PostOffice(shared_database, mail_from_address="zoe@acme.example.com")
    transport = Envelopes()
    ann = office.contact("Ann")
    [row] = office.enroll(office.series(HELLO), ann)
    office.lease_and_send(transport)
    bounce = f"bounce-{mail_id(office.org_id, row).hex}@bounces.acme.example"
    raw = f"From: Bob <bob@b.example>\nTo: {bounce}\nSubject: Re: Hi\n\nThanks\n"
    engine = HaloEngine(shared_database, Post(transport, Sender("Halo", "halo@halo.example")))
    assert engine.receive(raw.encode()).id == ann


def test_each_email_says_what_it_is_about(office: PostOffice) -> None:
    """Headers tell mailbox providers step, series, kind and organisation."""
    transport = Envelopes()
    office.enroll(office.series(HELLO, key="welcome"), office.contact("Ann"))
    office.lease_and_send(transport)
    [message] = transport.sent
    assert message["Feedback-ID"] == f"step-0:welcome:transactional:{office.org_id.hex[:15]}"

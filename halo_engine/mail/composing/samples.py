"""Samples: the email that a contact would get at a step, shown or sent as a test (§9).

No row is changed. The links of a sample work like real ones, but record nothing.
"""

from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from pydantic import Field
from sqlalchemy import Select, exists, func, literal, select

from halo_engine.contacts.calls import Call, Email, Identifier
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, bad_input, conflict, not_found, shown
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.mail_tokens import NOBODYS_MAIL
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.email import Email as StepEmail
from halo_engine.mail.composing.message import mail_of_step
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.composing.values import (
    fields_of_email,
    gather_sample_values,
    gather_values,
)
from halo_engine.mail.transports.transports import (
    Mail,
    OutcomeUnknown,
    PermanentFailure,
    ServerDown,
    TemporaryFailure,
    Transport,
)
from halo_engine.series.lifecycle import find_series
from halo_engine.sql.statements import statement
from halo_engine.tables import suppressions
from halo_engine.work import Work

_ADDRESS: Final = MergeField.of("email")
_MARK: Final = "[Test] "


class SampleCall(Call):
    """Which email and for whom: the keys of series and step, and the name of a contact."""

    series: Identifier
    step: Identifier
    contact: Identifier


class SendTestCall(SampleCall):
    """A sample, and the address that it is sent to instead of the contact's."""

    to: Email


class ShownMail(Answer):
    """An email as its reader gets it: decoded headers, text and HTML page."""

    series: str
    step: str
    contact: str
    headers: dict[str, str]
    text: str
    html: str = Field(repr=False)


class SentTest(Answer):
    """Which email was sent to whom, and its Message-ID."""

    series: str
    step: str
    contact: str
    to: str
    message_id: str


class WrittenTest(NamedTuple):
    """A test mail ready to send, and its Message-ID."""

    mail: Mail
    message_id: str


def show_mail(work: Work, sender: Sender, sample: SampleCall) -> ShownMail:
    """Return the email that the contact would get now (contract §9).

    Raises 404 for what is unknown, 400 for a step that sends none, a contact without an email, and
    an email that cannot be written.
    """
    message = _written(work, sender, sample, to=None).read()
    text, page = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(page, EmailMessage)
    return ShownMail(
        series=sample.series,
        step=sample.step,
        contact=sample.contact,
        headers={name: _read(value) for name, value in message.items()},
        text=text.get_content(),
        html=page.get_content(),
    )


def write_test(work: Work, sender: Sender, test: SendTestCall) -> WrittenTest:
    """Return the contact's email as a test mail to another address; its subject is marked.

    Raises what ``show_mail`` raises, and 409 if the address is suppressed or sending is stopped.
    """
    if work.org.sending_stopped:
        problem = "Sending is stopped; `halo sending start` lets mail out again."
        raise conflict("sending_stopped", problem)
    mail = _written(work, sender, test, to=test.to)
    if work.connection.execute(_check_suppressed(work, test.to)).scalar_one():
        problem = f"{shown(test.to)} is suppressed: it bounced, or wants no mail."
        raise conflict("suppressed", problem)
    message_id = f"<test-{uuid4()}@{sender.of(work.org).domain}>"
    return WrittenTest(mail.under(message_id), message_id)


@statement("check_suppressed")
def _check_suppressed(work: Work, address: str) -> Select[Any]:
    table = suppressions
    is_it = table.c.address == func.lower(literal(address))
    is_suppressed = exists().where(table.c.org_id == work.org_id, is_it)
    return select(is_suppressed)


def send_test(transport: Transport, written: WrittenTest, test: SendTestCall) -> SentTest:
    """Send a test mail; raises a 409 if it was not sent, or if that is unknown."""
    try:
        transport.send(written.mail, written.message_id)
    except (PermanentFailure, TemporaryFailure, ServerDown) as failure:
        raise conflict("not_sent", f"It was not sent: {failure.reason}") from failure
    except OutcomeUnknown as unknown:
        problem = f"Whether it was sent is not known: {unknown.reason}"
        raise conflict("outcome_unknown", problem) from unknown
    return SentTest(
        series=test.series,
        step=test.step,
        contact=test.contact,
        to=written.mail.recipient,
        message_id=written.message_id,
    )


def _written(work: Work, sender: Sender, sample: SampleCall, to: str | None) -> Mail:
    series = find_series(work, sample.series)
    step = _email_step(series, sample.step)
    assert step.email is not None
    email = step.email
    [contact_id] = find_contacts(work, [sample.contact])
    values = _values(work, series, contact_id, email)
    address = to or values[_ADDRESS.named]
    if not address:
        problem = f"{shown(sample.contact)} has no email; allowed is a contact that has one"
        raise bad_input("contact", problem, "no_email")
    if to is not None:
        email = email.model_copy(update={"subject": f"{_MARK}{email.subject}"})
    try:
        return mail_of_step(
            replace(step, email=email),
            series=series,
            org=work.org,
            recipient_id=NOBODYS_MAIL,
            values=values,
            sender=sender.of(work.org),
            to=address,
            now=work.now,
        )
    except PermanentFailure as failure:
        raise Refusal(400, "not_writable", failure.reason) from failure


def _email_step(series: Series, key: str) -> Step:
    step = next((step for step in series.steps if step.key == key), None)
    if step is None:
        raise not_found("step", key)
    if step.email is None:
        problem = f"{shown(key)} is a condition; allowed is a step with an email"
        raise bad_input("step", problem, "no_email_step")
    return step


def _values(work: Work, series: Series, contact_id: UUID, email: StepEmail) -> dict[str, str]:
    fields = {_ADDRESS} | fields_of_email(email)
    values = gather_values(work, [contact_id], fields)[contact_id]
    return {**values, **gather_sample_values(work, series, contact_id, fields)}


def _read(value: str) -> str:
    return str(make_header(decode_header(value.replace("\r\n", ""))))

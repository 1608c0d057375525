"""Contacts that come by the lead form, or that a teammate adds (contract §2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from halo_engine.contacts.calls import Call, Email, PersonCall
from halo_engine.contacts.identifying.answers import ContactAnswer
from halo_engine.contacts.subjects import about_address, custom_fields
from halo_engine.contacts.writing.reading import ReadPerson, read_person
from halo_engine.contacts.writing.registry import left_out_of, not_registered, note_registered
from halo_engine.contacts.writing.sources import LEAD_FORM, TEAMMATE, Finds
from halo_engine.contacts.writing.upsert import write_contacts
from halo_engine.contacts.writing.written import WrittenContact
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import conflict, shown
from halo_engine.sets import Outcome, Outcomes, SetForm, only
from halo_engine.work import Work


class CaptureLeadCall(Call):
    """An email from the lead form, and traits for a new lead."""

    email: Email
    traits: dict[str, Any] | None = None


class CaptureLeadAnswer(Answer):
    """Whether the email was new; nothing about its contact, since anyone may fill in a form."""

    created: bool
    warnings: tuple[str, ...] = ()


class AddContactCall(PersonCall):
    """A contact that a teammate adds: a user if ``user_id`` is given, else a lead with an email."""


def capture_lead(work: Work, call: CaptureLeadCall) -> CaptureLeadAnswer:
    """Make a lead of a new email; for a known contact only bump ``last_seen`` (§2).

    If several contacts share the email, the first one is bumped. Raises 400 for traits that are
    refused.
    """
    return only(CaptureLeadAnswer, _capture_all(work, [call]))


def _capture_all(work: Work, calls: Sequence[CaptureLeadCall]) -> list[Outcome]:
    outcomes = Outcomes(len(calls))
    readings: dict[int, ReadPerson] = {}
    for ordinal, call in enumerate(calls):
        with outcomes.of(ordinal):
            traits = {**(call.traits or {}), "email": call.email}
            readings[ordinal] = read_person(work.org, None, traits)
    people = [each.person for each in readings.values()]
    written = write_contacts(work, LEAD_FORM, people) if people else []
    for (ordinal, reading), each in zip(readings.items(), written, strict=True):
        outcomes[ordinal] = _captured(reading, each)
        if each.created:
            # The organisation is cached once this is committed.
            note_registered(work.org, reading.person.custom, each.left_out)
    return outcomes.all


def _captured(reading: ReadPerson, written: WrittenContact) -> CaptureLeadAnswer:
    if not written.created:
        return CaptureLeadAnswer(created=False)
    left_out = left_out_of(reading.person.custom, written.left_out)
    return CaptureLeadAnswer(created=True, warnings=(*reading.warnings, *not_registered(left_out)))


CAPTURE_LEAD_SET: Final = SetForm(
    _capture_all,
    lambda call: about_address(call.email),
    fields=lambda call: custom_fields(call.traits),
)


def add_contact(work: Work, call: AddContactCall) -> ContactAnswer:
    """Make the contact that a teammate entered (contract §2).

    Raises 400 for traits that are refused, 409 when the contact exists: the ``user_id`` is taken,
    or, without one, the email is.
    """
    given = {} if call.email is None else {"email": call.email}
    reading = read_person(work.org, call.user_id, {**(call.traits or {}), **given})
    finds = Finds.EXTERNAL_ID if call.user_id else Finds.EXTERNAL_ID_ELSE_ADDRESS
    [written] = write_contacts(work, replace(TEAMMATE, finds=finds), [reading.person])
    if not written.created:
        field, value = ("user_id", call.user_id) if call.user_id else ("email", call.email)
        problem = f"{field}: {shown(value)} is a contact already; allowed is one that is new"
        raise conflict("contact_exists", problem)
    return ContactAnswer.of(written, (*reading.warnings, *not_registered(written.left_out)))

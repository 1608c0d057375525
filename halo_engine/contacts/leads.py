"""Contacts that others bring: the lead form's visitors, and those a teammate adds (contract §2)."""

from dataclasses import replace
from typing import Any, Self

from pydantic import model_validator

from halo_engine.contacts.answers import ContactAnswer
from halo_engine.contacts.calls import Answer, Call, Email, Identifier
from halo_engine.contacts.doors import LEAD_FORM, TEAMMATE, Finds
from halo_engine.contacts.reading import read_person
from halo_engine.contacts.registry import not_registered
from halo_engine.contacts.upsert import write_contacts
from halo_engine.domain.errors import bad_input, conflict, shown
from halo_engine.work import Work


class CaptureLeadCall(Call):
    """An email that was left in the lead form, and traits for a lead that is new."""

    email: Email
    traits: dict[str, Any] | None = None


class CaptureLeadAnswer(Answer):
    """Whether the email was new; nothing about whose it is, since anyone may fill in a form."""

    created: bool
    warnings: tuple[str, ...] = ()


class AddContactCall(Call):
    """A contact as a teammate enters it: a user with a ``user_id``, else a lead with an email."""

    user_id: Identifier | None = None
    email: Email | None = None
    traits: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.user_id is None and self.email is None:
            raise bad_input("user_id", "is required, unless there is an email", "missing_key")
        return self


def capture_lead(work: Work, call: CaptureLeadCall) -> CaptureLeadAnswer:
    """Make a lead of an email that is new; of a known contact bump ``last_seen`` alone (§2).

    Where several contacts share the email, it is the first of them. Raises 400 for traits that are
    refused.
    """
    reading = read_person(work.org, None, {**(call.traits or {}), "email": call.email})
    [written] = write_contacts(work, LEAD_FORM, [reading.person])
    if not written.created:
        return CaptureLeadAnswer(created=False)
    warnings = (*reading.warnings, *not_registered(written.left_out))
    return CaptureLeadAnswer(created=True, warnings=warnings)


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

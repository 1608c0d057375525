"""Read the values of merge fields for a set of contacts in one statement (contract §9)."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import scan
from halo_engine.domain.errors import Refusal
from halo_engine.domain.merge_fields import MergeField, fields_of
from halo_engine.domain.series import Email
from halo_engine.work import Work


def fields_of_email(email: Email) -> frozenset[MergeField]:
    """Return the merge fields of an email; empty if it cannot be read."""
    # Writing the email will report what is wrong.
    with suppress(Refusal):
        return fields_of(email.subject) | fields_of(email.body)
    return frozenset()


def gather_values(
    work: Work, contacts: Collection[UUID], fields: Collection[MergeField]
) -> Mapping[UUID, Mapping[str, str]]:
    """Return for each contact that exists the texts of the fields, by their names.

    Missing values are blank. Dates are on the organisation's clock (``MergeField.text_of``).
    """
    subject = Subject.of_contacts()
    asked = list(fields)
    columns = [value_of(each.field, subject).label(f"value_{n}") for n, each in enumerate(asked)]
    contact = subject.contact
    rows = work.connection.execute(
        select(contact.c.id, *columns)
        .select_from(scan(subject, columns))
        .where(
            contact.c.org_id == work.org_id,
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )
    zone = ZoneInfo(work.org.timezone)
    return {
        id_: {
            each.named: each.text_of(value, zone) for each, value in zip(asked, values, strict=True)
        }
        for id_, *values in rows
    }

"""The values that merge fields stand for, of a set of contacts in one statement (contract §9)."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, Uuid, any_, case, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import scan
from halo_engine.domain.fields import Entity, Field
from halo_engine.domain.merge_fields import text_of
from halo_engine.domain.reasons import ContactType
from halo_engine.work import Work


def gather_values(
    work: Work, contacts: Collection[UUID], fields: Collection[Field]
) -> Mapping[UUID, Mapping[str, str]]:
    """Return the texts of the fields, by name, of each contact that exists; blank when missing.

    Dates are days on the organisation's calendar (``domain.merge_fields.text_of``).
    """
    subject = Subject.of_contacts()
    asked = list(fields)
    columns = [_value(field, subject).label(f"value_{n}") for n, field in enumerate(asked)]
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
        id_: {field.name: text_of(value, zone) for field, value in zip(asked, values, strict=True)}
        for id_, *values in rows
    }


def _value(field: Field, subject: Subject) -> ColumnElement[Any]:
    value = _custom_value(field, subject) if field.custom else _typed_value(field, subject)
    if not field.leads_only:
        return value
    is_lead = subject.contact.c.contact_type == literal_column(f"'{ContactType.LEAD}'")
    return case((is_lead, value))


def _typed_value(field: Field, subject: Subject) -> ColumnElement[Any]:
    match field.entity:
        case Entity.CONTACT:
            return subject.contact.c[field.attribute]
        case Entity.COMPANY:
            return subject.company.c[field.attribute]
        case Entity.STRIPE:
            return subject.contact.c[f"stripe_{field.attribute}"]
        case Entity.EVENT:
            return subject.event_count(field.attribute)


def _custom_value(field: Field, subject: Subject) -> ColumnElement[Any]:
    of_company = field.entity is Entity.COMPANY
    fields = subject.company_fields if of_company else subject.contact_fields
    return func.jsonb_extract_path(fields, literal(field.attribute, Text()), type_=JSONB())

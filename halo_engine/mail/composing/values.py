"""Read the values of merge fields for a set of contacts in one statement (contract §9)."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import scan
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.if_blocks import IsSet
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.series.email import Email
from halo_engine.sql.statements import statement
from halo_engine.work import Work


def fields_of_email(email: Email) -> frozenset[MergeField | IsSet]:
    """Return the values that an email names; empty if it cannot be read."""
    # Writing the email will report the fault.
    with suppress(Refusal):
        return email.asks()
    return frozenset()


def gather_values(
    work: Work, contacts: Collection[UUID], fields: Collection[MergeField | IsSet]
) -> Mapping[UUID, Mapping[str, str]]:
    """Return for each contact that exists the texts of the fields, by their names.

    Missing values are blank. Dates are on the organisation's clock (``MergeField.text_of``).
    """
    asked = list(fields)
    rows = work.connection.execute(_gather_merge_values(work, contacts, asked))
    zone = ZoneInfo(work.org.timezone)
    return {
        id_: {
            each.named: each.text_of(value, zone) for each, value in zip(asked, values, strict=True)
        }
        for id_, *values in rows
    }


@statement("gather_merge_values")
def _gather_merge_values(
    work: Work, contacts: Collection[UUID], fields: Collection[MergeField | IsSet]
) -> Select[Any]:
    subject = Subject.of_contacts()
    columns = [value_of(each.field, subject).label(f"value_{n}") for n, each in enumerate(fields)]
    contact = subject.contact
    return (
        select(contact.c.id, *columns)
        .select_from(scan(subject, columns))
        .where(
            contact.c.org_id == work.org_id,
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )

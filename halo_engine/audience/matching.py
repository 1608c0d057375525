"""Who is in an audience, for many series in one scan of the contacts (contract §3)."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    FromClause,
    Integer,
    Lateral,
    Text,
    Uuid,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.sql import visitors

from halo_engine.audience.compiler import Subject, predicate
from halo_engine.audience.moments import When
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.reasons import AudienceType, ContactTypeChoice
from halo_engine.tables import subscription_members, suppressions


class Audience(Protocol):
    """What says whom a series is for: a saved series, or one that is being written."""

    @property
    def audience_type(self) -> AudienceType:
        """Where the audience comes from."""

    @property
    def contact_type(self) -> ContactTypeChoice:
        """Which contacts it is narrowed to."""

    @property
    def subscription_id(self) -> UUID | None:
        """The list, of an audience of subscribers."""

    @property
    def audience_filters(self) -> FilterGroups:
        """The filters, of an audience by criteria."""

    @property
    def patience(self) -> timedelta | None:
        """How long contacts wait for data, if they do: then the audience asks for an email."""


def audience(of: Audience, subject: Subject, moment: When) -> ColumnElement[bool]:
    """Return whether the audience holds: by its type, contact type and suppression aside (§3,
    §23).
    """
    holds = is_in_source(of, subject, moment)
    return and_(holds, has_address(subject)) if of.patience else holds


def is_in_source(of: Audience, subject: Subject, moment: When) -> ColumnElement[bool]:
    """Return whether the filters hold, or the list has the contact: what a run must not lose."""
    match of.audience_type:
        case AudienceType.ALL:
            return has_address(subject)
        case AudienceType.SEGMENT:
            return predicate(of.audience_filters, subject, moment)
        case AudienceType.SUBSCRIPTION:
            return _subscribes(of.subscription_id, subject)


def has_address(subject: Subject) -> ColumnElement[bool]:
    """Return whether there is an address to write to (contract §3, §5)."""
    return (subject.contact.c.email != "").is_(True)


def fits_contact_type(choice: ContactTypeChoice, subject: Subject) -> ColumnElement[bool]:
    """Return whether the contact is of the chosen type (contract §3)."""
    if choice is ContactTypeChoice.BOTH:
        return true()
    return subject.contact.c.contact_type == literal(choice.value, Text())


def suppressed(subject: Subject) -> ColumnElement[bool]:
    """Return whether the address bounced or is unsubscribed from everything (contract §3)."""
    contact = subject.contact
    return exists().where(
        suppressions.c.org_id == contact.c.org_id, suppressions.c.address == contact.c.address
    )


def _subscribes(list_id: UUID | None, subject: Subject) -> ColumnElement[bool]:
    contact = subject.contact
    return exists().where(
        subscription_members.c.org_id == contact.c.org_id,
        subscription_members.c.end_user_id == contact.c.id,
        # Written so that no index on the list can be used: it would read all of its members.
        subscription_members.c.subscription_id.is_not_distinct_from(literal(list_id, Uuid())),
    )


def matches(predicates: Sequence[tuple[int, ColumnElement[bool]]]) -> ColumnElement[list[int]]:
    """Return the numbers of the predicates that hold for a row, in their order, as ``int[]``."""
    numbers = [case((held, literal(number, Integer()))) for number, held in predicates]
    return func.array_remove(cast(array(numbers), ARRAY(Integer)), null(), type_=ARRAY(Integer))


def scan(subject: Subject, predicates: Iterable[ColumnElement[bool]]) -> FromClause:
    """Return the FROM clause in which ``predicates`` are evaluated: a row for each contact.

    Companies, and custom fields to be unpacked, are joined only when a predicate reads them.
    """
    read = {
        element.table
        for each in predicates
        for element in visitors.iterate(each)
        if isinstance(element, ColumnClause)
    }
    contact, company = subject.contact, subject.company
    unpacked = [
        table
        for fields in (subject.contact_fields, subject.company_fields)
        if isinstance(table := fields.table, Lateral) and table in read
    ]
    source = contact
    if company in read or subject.company_fields.table in read:
        source = source.outerjoin(
            company,
            and_(company.c.org_id == contact.c.org_id, company.c.id == contact.c.company_id),
        )
    for table in unpacked:
        source = source.join(table, true())
    return source

"""The one compiler: a filter becomes a SQL predicate here and nowhere else (§3, §5, §22).

A predicate is true or false, never NULL, and it never raises: a missing value, and a stored value
of another type than the one compared, match nothing. Every value is a bound parameter, so filters
of one shape share one compiled statement.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.audience import custom
from halo_engine.audience.dates import compare_date, first_shown
from halo_engine.audience.emptiness import is_filled, is_written
from halo_engine.audience.letters import contains
from halo_engine.audience.lookups.firings import EventCount, Firings, times_fired
from halo_engine.audience.lookups.memberships import LOOKED_UP, membership
from halo_engine.audience.moments import Moment, When
from halo_engine.domain.fields.catalogue import Entity, Field, FieldType
from halo_engine.domain.fields.expressions import Expression
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.filters import Filter, Value, date_bound
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.reasons import ContactType
from halo_engine.tables import companies, end_users

#: What subjects look up in ways of their own, so that predicates of it are not cached.
_JOINED: Final = LOOKED_UP | {Entity.EVENT}
_INSTANT: Final = DateTime(timezone=True)
_COMPARISONS: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.IS: eq,
    Operator.IS_NOT: ne,
    Operator.GT: gt,
    Operator.LT: lt,
    Operator.GTE: ge,
    Operator.LTE: le,
    Operator.BEFORE: lt,
    Operator.AFTER: ge,
}


#: Without an event every property is missing.
_NO_PROPERTIES: Final = cast(null(), JSONB())


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose values a filter reads: a contact, its company, how often its events fired, and on which
    lists and in which series it is.

    ``contact`` and ``company`` are rows of the FROM clause (``matching.scan``); their custom fields
    are read from ``contact_fields`` and ``company_fields``, see ``of_contacts``. ``properties`` are
    those of the event at hand, or of the one that began the run.
    """

    contact: FromClause
    company: FromClause
    contact_fields: ColumnElement[Any]
    company_fields: ColumnElement[Any]
    event_count: EventCount = field(compare=False)
    member_value: Callable[[Field], ColumnElement[Any]] = field(compare=False)
    properties: ColumnElement[Any] = field(compare=False, default=_NO_PROPERTIES)

    @classmethod
    def of_contacts(cls, reads: int = 0) -> Self:
        """Return the contacts, their companies, and how often events fired for them.

        Custom fields that are read more than a few times (``custom_reads``) are unpacked once for
        each row: PostgreSQL compresses what is longer than 2 kB, and would expand it every time.
        """
        stored = end_users.c.custom_fields, companies.c.custom_fields
        fields = stored if reads <= _FEW else _UNPACKED
        return cls(
            end_users,
            companies,
            *fields,
            event_count=partial(times_fired, contact=end_users),
            member_value=partial(membership, contact=end_users),
        )

    def counting_events(self, event_count: EventCount) -> Self:
        """Return the same subject, its events counted by ``event_count`` (contract §7)."""
        return replace(self, event_count=event_count)

    def with_properties(self, properties: ColumnElement[Any]) -> Self:
        """Return the same subject with an event whose ``properties`` are read (contract §21)."""
        return replace(self, properties=properties)


def custom_reads(*filters: FilterGroups) -> int:
    """Return how many of the filters read custom fields."""
    return sum(item.target.custom for groups in filters for group in groups for item in group)


def predicate(groups: FilterGroups, subject: Subject, moment: When) -> ColumnElement[bool]:
    """Return whether any of the groups holds, with all of its filters; without groups, false."""
    held = [and_(*(_holds(item, subject, moment) for item in group)) for group in groups]
    return or_(false(), *held).is_(True)


def expression_predicate(
    expression: Expression, subject: Subject, moment: When
) -> ColumnElement[bool]:
    """Return whether a ``user_property`` expression holds; the stored type decides how (§5)."""
    return predicate(tuple((reading,) for reading in expression.readings), subject, moment)


def value_of(target: Field, subject: Subject) -> ColumnElement[Any]:
    """Return the value that a filter on ``target`` sees: a column's, a count, or a custom field's
    ``jsonb``.
    """
    if target.custom:
        value = custom.stored(_custom_fields(target, subject), target.attribute)
    else:
        value = _typed_value(target, subject)
    return case((_is_lead(subject), value)) if target.leads_only else value


def seen_by(item: Filter, subject: Subject, moment: When) -> ColumnElement[Any]:
    """Return the value that ``item`` sees: that of its field, or a count within its span (§22)."""
    if item.target.entity is Entity.EVENT:
        return subject.event_count(Firings.counted_by(item, moment))
    return value_of(item.target, subject)


def lacks(item: Filter, subject: Subject, moment: When) -> ColumnElement[bool]:
    """Return whether the value that ``item`` compares is missing, or of another type (§3)."""
    target = item.target
    present: ColumnElement[bool]
    if not item.operator.takes_value:
        present = _is_set(target, subject)
    elif item.type is FieldType.DATE:
        present = _date_holds(item, subject, moment).is_not(None)
    elif target.custom:
        fields = _custom_fields(target, subject)
        present = custom.is_of_type(_compared(item), fields, target.attribute)
    else:
        present = seen_by(item, subject, moment).is_not(None)
    return ~_of_leads(target, subject, present)


#: Up to so many filters cost less than unpacking.
_FEW: Final = 3
#: In bytes: PostgreSQL compresses longer values, or stores them out of line.
_PLAIN: Final = literal_column("2000", Integer())


def _unpacked(table: FromClause, name: str) -> ColumnElement[Any]:
    # The concatenation unpacks the value into memory, and OFFSET makes PostgreSQL do it once. That
    # costs as much as a dozen filters, so a value that is stored plainly is read as it is.
    stored = table.c.custom_fields
    is_plain = and_(
        func.pg_column_size(stored) < _PLAIN,
        func.pg_column_compression(stored).is_(None),
        # Always true. It refers to the row, so that PostgreSQL does not memoize the value: for that
        # it would hash each document.
        table.c.id.is_not(None),
    )
    value = case((is_plain, stored), else_=stored.op("||")(literal_column("'{}'::jsonb")))
    return (
        select(value.label("value"))
        .correlate(table)
        .offset(literal_column("0"))
        .lateral(name)
        .c.value
    )


_UNPACKED = _unpacked(end_users, "contact_fields"), _unpacked(companies, "company_fields")


def _holds(item: Filter, subject: Subject, moment: When) -> ColumnElement[bool]:
    if not item.operator.takes_value:
        is_set = _is_set(item.target, subject)
        held = is_set if item.operator is Operator.IS_SET else ~is_set
        return _of_leads(item.target, subject, held)
    if item.type is FieldType.DATE:
        return _of_leads(item.target, subject, _date_holds(item, subject, moment))
    if item.target.entity in _JOINED:
        return _typed_holds(item, seen_by(item, subject, moment))
    if item.target.entity is Entity.PROPERTY:
        name = item.target.attribute
        return custom.compare(subject.properties, name, item.operator, _value(item))
    return _value_holds(item, subject)


def _is_set(target: Field, subject: Subject) -> ColumnElement[bool]:
    """Return whether there is a value, and no blank one; never NULL."""
    if target.custom:
        fields = _custom_fields(target, subject)
        read = custom.stored(fields, target.attribute), custom.written(fields, target.attribute)
        return is_filled(*read)
    value = _typed_value(target, subject)
    return is_written(value) if target.type is FieldType.STRING else value.is_not(None)


# Cached: building these expressions takes longer than evaluating them for a small batch.
@lru_cache(maxsize=4096)
def _value_holds(item: Filter, subject: Subject) -> ColumnElement[bool]:
    """Compare a value that depends neither on the moment nor on how ``subject`` counts events."""
    target = item.target
    if target.custom:
        fields = _custom_fields(target, subject)
        held = custom.compare(fields, target.attribute, item.operator, _value(item))
    else:
        held = _typed_holds(item, _typed_value(target, subject))
    return _of_leads(target, subject, held)


def _of_leads(target: Field, subject: Subject, held: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ignore a user's value of a field that only leads have."""
    return and_(_is_lead(subject), held) if target.leads_only else held


def _is_lead(subject: Subject) -> ColumnElement[bool]:
    return subject.contact.c.contact_type == literal_column(f"'{ContactType.LEAD}'")


def _date_holds(item: Filter, subject: Subject, moment: When) -> ColumnElement[bool]:
    target, compares = item.target, _COMPARISONS[item.operator]

    def bound(at: Moment) -> datetime:
        return date_bound(str(item.value), ZoneInfo(at.zone), at.now)

    instant = moment.parameter(bound, _INSTANT)
    if target.custom:
        # Only text can look like a date, so its type need not be checked.
        text = custom.written(_custom_fields(target, subject), target.attribute)
        shown = moment.parameter(lambda at: first_shown(bound(at), ZoneInfo(at.zone)), DateTime())
        return compare_date(text, compares, instant, shown)
    compared: ColumnElement[bool] = compares(_typed_value(target, subject), instant)
    return compared


def _typed_holds(item: Filter, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compare a value that has a type of its own: a column's, or an event's count."""
    if item.operator is Operator.CONTAINS:
        return contains(value, str(item.value))
    compared: ColumnElement[bool] = _COMPARISONS[item.operator](value, _parameter(item))
    return compared


def _typed_value(target: Field, subject: Subject) -> ColumnElement[Any]:
    match target.entity:
        case Entity.CONTACT:
            return subject.contact.c[target.attribute]
        case Entity.COMPANY:
            return subject.company.c[target.attribute]
        case Entity.STRIPE:
            return subject.contact.c[f"stripe_{target.attribute}"]
        case Entity.EVENT:
            return subject.event_count(Firings(target.attribute))
        case Entity.PROPERTY:
            return custom.stored(subject.properties, target.attribute)
        case Entity.LIST | Entity.SERIES:
            return subject.member_value(target)


def _value(item: Filter) -> Value:
    assert item.value is not None, item
    return item.value


def _compared(item: Filter) -> FieldType:
    assert item.type is not None, item
    return item.type


def _parameter(item: Filter) -> ColumnElement[Any]:
    match item.value:
        case bool():
            return literal(item.value, Boolean())
        case int() | float():
            # The digits as written: a double would round them.
            return literal(Decimal(repr(item.value)), Numeric())
        case _:
            return literal(item.value, Text())


def _custom_fields(target: Field, subject: Subject) -> ColumnElement[Any]:
    if target.entity is Entity.PROPERTY:
        return subject.properties
    of_company = target.entity is Entity.COMPANY
    return subject.company_fields if of_company else subject.contact_fields

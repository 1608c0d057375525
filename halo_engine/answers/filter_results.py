"""Filters evaluated one by one for given contacts, with the values that they compared (§10).

The compiler is the one that entry uses, so both agree.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, ColumnElement, Uuid, any_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, array

from halo_engine.audience.compiler import Subject, lacks, predicate, value_of
from halo_engine.audience.matching import scan
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields import FieldType
from halo_engine.domain.filters import Filter
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class FilterResult:
    """One filter's result for one contact.

    ``value`` is an instant for a column that holds one, else JSON; None when nothing is stored.
    ``missing`` is also a value of another type than the filter's (contract §3).
    """

    filter: Filter
    holds: bool
    missing: bool
    value: Any


def holds_all(group: Sequence[FilterResult]) -> bool:
    """Return whether every filter of an AND group holds."""
    return all(seen.holds for seen in group)


def filter_results(
    work: Work, filters: Sequence[Filter], contacts: Collection[UUID]
) -> Mapping[UUID, list[FilterResult]]:
    """Return each contact's results, in the order of ``filters``; one statement."""
    if not filters or not contacts:
        return {}
    subject = Subject.of_contacts()
    contact = subject.contact
    values = [value_of(each.target, subject) for each in filters]
    columns: list[ColumnElement[Any]] = [
        all_hold(filters, subject, work.moment),
        all_lack(filters, subject, work.moment),
        cast(array([func.to_jsonb(value) for value in values]), ARRAY(JSONB())),
    ]
    rows = work.connection.execute(
        select(contact.c.id, *columns)
        .select_from(scan(subject, columns))
        .where(
            contact.c.org_id == work.org_id,
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )
    return {
        id_: [
            FilterResult(item, holds, missing, _read(item, value))
            for item, holds, missing, value in zip(filters, *seen, strict=True)
        ]
        for id_, *seen in rows
    }


def _read(item: Filter, value: Any) -> Any:
    is_instant = item.target.type is FieldType.DATE and value is not None
    return datetime.fromisoformat(value) if is_instant else value


def all_hold(filters: Sequence[Filter], subject: Subject, moment: Moment) -> ColumnElement[Any]:
    """Return whether each filter holds by itself, as ``boolean[]``."""
    held = [predicate(((each,),), subject, moment) for each in filters]
    return cast(array(held), ARRAY(Boolean()))


def all_lack(filters: Sequence[Filter], subject: Subject, moment: Moment) -> ColumnElement[Any]:
    """Return whether each filter's value is missing, as ``boolean[]``."""
    return cast(array([lacks(each, subject, moment) for each in filters]), ARRAY(Boolean()))

"""Filters evaluated one by one for given contacts, with the values that they compared (§10).

It uses the same compiler as entry, so both agree.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Select,
    Uuid,
    any_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, array

from halo_engine.audience.compiler import Subject, lacks, predicate, seen_by
from halo_engine.audience.matching import scan
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.results import FilterResult
from halo_engine.sql.statements import statement
from halo_engine.work import Work


def filter_results(
    work: Work, filters: Sequence[Filter], contacts: Collection[UUID]
) -> Mapping[UUID, list[FilterResult]]:
    """Return each contact's results, in the order of ``filters``; one statement."""
    if not filters or not contacts:
        return {}
    rows = work.connection.execute(_evaluate_filters(work, filters, contacts))
    return {
        id_: [
            FilterResult(item, holds, missing, _read(item, value))
            for item, holds, missing, value in zip(filters, *seen, strict=True)
        ]
        for id_, *seen in rows
    }


@statement("evaluate_filters")
def _evaluate_filters(
    work: Work, filters: Sequence[Filter], contacts: Collection[UUID]
) -> Select[Any]:
    subject = Subject.of_contacts()
    contact = subject.contact
    values = [seen_by(each, subject, work.moment) for each in filters]
    columns: list[ColumnElement[Any]] = [
        all_hold(filters, subject, work.moment),
        all_lack(filters, subject, work.moment),
        cast(array([func.to_jsonb(value) for value in values]), ARRAY(JSONB())),
    ]
    return (
        select(contact.c.id, *columns)
        .select_from(scan(subject, columns))
        .where(
            contact.c.org_id == work.org_id,
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )


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

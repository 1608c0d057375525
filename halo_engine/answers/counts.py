"""Counting for diagnose: how an audience and its filters divide the contacts, in one pass (§10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array

from halo_engine.answers.lookalikes import look_alikes, meant_for
from halo_engine.answers.sight import all_hold, all_lack
from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import audience, fits_contact_type, scan, suppressed
from halo_engine.domain.fields import Field, resolve
from halo_engine.domain.filters import Filter, FilterGroups
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.series import Series
from halo_engine.tables import audience_fields, subscriptions
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """How one filter divides the eligible contacts; ``place`` is its path, ``group`` its AND group.

    ``matches_without`` is how many the audience would match if this filter were taken out of its
    group and all else stayed; a group that is left empty keeps nobody out. ``look_alikes`` are
    fields that someone may have meant instead, with how many of the eligible have them.
    """

    group: int
    place: str
    filter: Filter
    passes_alone: int
    matches_without: int
    missing: int
    look_alikes: Sequence[tuple[Field, int]]


@dataclass(frozen=True, slots=True)
class Counts:
    """How an audience divides the organisation's ``contacts``.

    The *eligible* are of the right type and not suppressed; the ``matched`` are those of them whom
    the audience holds. ``in_audience`` is how many it holds in all, ``other_type`` and
    ``suppressed`` how many are kept out for that reason alone.
    """

    contacts: int
    eligible: int
    matched: int
    in_audience: int
    other_type: int
    suppressed: int
    list_key: str | None
    filters: Sequence[FilterCounts]


def count(work: Work, series: Series) -> Counts:
    """Return how the audience of ``series`` divides the contacts now, in two statements."""
    groups = series.audience_filters if series.audience_type is AudienceType.SEGMENT else ()
    placed = list(_placed(groups))
    filters = [item for _, _, item in placed]
    registered = _registered(work) if filters else []
    alike = [look_alikes(item.target, meant_for(item.target, registered)) for item in filters]
    others = [other for found in alike for other in found]
    looked = _look(work, series, filters, others)
    row = work.connection.execute(_tally(work, series, groups, looked, len(others))).one()
    having = iter(row.having)
    return Counts(
        contacts=row.contacts,
        eligible=row.eligible,
        matched=row.matched,
        in_audience=row.in_audience,
        other_type=row.other_type,
        suppressed=row.suppressed,
        list_key=row.list_key,
        filters=[
            FilterCounts(
                group=group,
                place=f"audience_filters[{group}][{index}]",
                filter=item,
                passes_alone=row.passing[n],
                matches_without=row.without[n],
                missing=row.missing[n],
                look_alikes=[(other, next(having)) for other in alike[n]],
            )
            for n, (group, index, item) in enumerate(placed)
        ],
    )


def _placed(groups: FilterGroups) -> Iterator[tuple[int, int, Filter]]:
    for group, filters in enumerate(groups):
        for index, item in enumerate(filters):
            yield group, index, item


def _registered(work: Work) -> list[Field]:
    """Return the custom fields that were ever seen on a contact or a company."""
    table = audience_fields
    rows = work.connection.execute(
        select(table.c.entity, table.c.key).where(table.c.org_id == work.org_id)
    )
    prefixes = {"contact": "custom:", "company": "company.custom:"}
    return [resolve(f"{prefixes[row.entity]}{row.key}") for row in rows]


def _look(
    work: Work, series: Series, filters: Sequence[Filter], others: Sequence[Field]
) -> FromClause:
    """Look at each contact once: what it is, which filters hold and lack, which fields it has."""
    subject = Subject.of_contacts_unpacked()
    columns: list[ColumnElement[Any]] = [
        fits_contact_type(series.contact_type, subject).label("fits"),
        suppressed(subject).label("suppressed"),
        audience(series, subject, work.moment).label("holds"),
        all_hold(filters, subject, work.moment).label("held"),
        all_lack(filters, subject, work.moment).label("lacking"),
        cast(array([_has(other, subject) for other in others]), ARRAY(Boolean())).label("having"),
    ]
    return (
        select(*columns)
        .select_from(scan(subject, columns))
        .where(subject.contact.c.org_id == work.org_id)
        # Keeps PostgreSQL from evaluating a column anew wherever it is counted.
        .offset(literal_column("0"))
        .subquery("looked")
    )


def _has(field: Field, subject: Subject) -> ColumnElement[bool]:
    type_ = func.jsonb_typeof(func.to_jsonb(value_of(field, subject)))
    return (type_ != literal_column("'null'")).is_(True)


def _tally(
    work: Work, series: Series, groups: FilterGroups, looked: FromClause, others: int
) -> Select[Any]:
    right = and_(looked.c.fits, ~looked.c.suppressed)
    held = [looked.c.held[n + 1] for n in range(sum(map(len, groups)))]
    lacking = [looked.c.lacking[n + 1] for n in range(len(held))]
    having = [looked.c.having[n + 1] for n in range(others)]

    def eligible(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[Any]:
        return cast(array([_count(right, each) for each in conditions]), ARRAY(Integer()))

    list_key = select(subscriptions.c.key).where(
        subscriptions.c.org_id == work.org_id, subscriptions.c.id == series.subscription_id
    )
    return select(
        func.count().label("contacts"),
        _count(right).label("eligible"),
        _count(right, looked.c.holds).label("matched"),
        _count(looked.c.holds).label("in_audience"),
        _count(looked.c.holds, ~looked.c.fits, ~looked.c.suppressed).label("other_type"),
        _count(looked.c.holds, looked.c.fits, looked.c.suppressed).label("suppressed"),
        list_key.scalar_subquery().label("list_key"),
        eligible(held).label("passing"),
        eligible(_without_each(groups, held)).label("without"),
        eligible(lacking).label("missing"),
        eligible(having).label("having"),
    ).select_from(looked)


def _count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(and_(*conditions))


def _without_each(
    groups: FilterGroups, held: Sequence[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    """Return, for each filter, whether the audience would hold if it were taken out of its
    group.
    """
    numbers = iter(range(len(held)))
    numbered = [[next(numbers) for _ in group] for group in groups]
    return [
        or_(*(and_(true(), *(held[n] for n in group if n != left_out)) for group in numbered))
        for left_out in range(len(held))
    ]

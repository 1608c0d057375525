"""Counting for diagnose: how an audience and its filters divide the contacts, in one scan (§10)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    and_,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array

from halo_engine.answers.diagnose.packed_results import PackedResults, tally
from halo_engine.audience.compiler import Subject, lacks, predicate, value_of
from halo_engine.audience.everybody import Everybody
from halo_engine.audience.matching import audience, fits_contact_type, has_address
from halo_engine.audience.moments import Moment
from halo_engine.audience.registered import registered_fields
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import Field, resolve
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.fields.lookalikes import look_alikes, meant_for
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.series.definition import Series
from halo_engine.sql.statements import statement
from halo_engine.tables import subscriptions
from halo_engine.work import Work

#: A filter's result for a contact (see ``_fates``).
_ABSENT: Final = 0
_HOLDS: Final = 1
_OTHER_TYPE: Final = 3
#: A look-alike field has a value, but the filter would not pass with it.
_HAS: Final = 2


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A field that may have been meant instead of the filter's.

    ``having`` counts the eligible contacts with a value in it, ``passes`` those that the filter
    would pass if it used this field.
    """

    field: Field
    passes: int
    having: int


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """One filter's counts of eligible contacts; ``place`` is its path, ``group`` its AND group.

    ``matches_without`` is how many contacts the audience would match without this filter; everybody
    passes a group that is then empty. ``absent`` counts contacts without a value, ``other_type``
    those whose value the filter cannot compare.
    """

    group: int
    place: str
    filter: Filter
    passes_alone: int
    matches_without: int
    absent: int
    other_type: int
    look_alikes: Sequence[LookAlike]

    @property
    def missing(self) -> int:
        """How many lack the value, one of another type included (contract §3)."""
        # Whoever passes it lacks the value, and is counted as passing alone.
        wanted = self.passes_alone if self.filter.operator is Operator.IS_EMPTY else 0
        return wanted + self.absent + self.other_type


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of an audience, and of the organisation's ``contacts``.

    *Eligible* contacts are of the right type and not suppressed; ``matched`` are the eligible in
    the audience. ``in_audience`` counts all in the audience. ``other_type`` counts those in it that
    are kept out by their type alone, ``suppressed`` those by suppression alone.
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
    others = [(other, item) for item, found in zip(filters, alike, strict=True) for other in found]
    question = _question(work, series, groups, others)
    row = work.connection.execute(question, {"org_id": work.org_id}).one()
    divided = iter(zip(row.would_pass, row.having, strict=True))
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
                absent=row.absent[n],
                other_type=row.other_type_of[n],
                look_alikes=[_look_alike(other, *next(divided)) for other in alike[n]],
            )
            for n, (group, index, item) in enumerate(placed)
        ],
    )


def _look_alike(field: Field, passes: int, failing: int) -> LookAlike:
    return LookAlike(field, passes=passes, having=passes + failing)


def _placed(groups: FilterGroups) -> Iterator[tuple[int, int, Filter]]:
    for group, filters in enumerate(groups):
        for index, item in enumerate(filters):
            yield group, index, item


def _registered(work: Work) -> list[Field]:
    """Return the custom fields that were ever seen on a contact or a company."""
    return [resolve(name) for name in registered_fields(work.connection, work.org_id)]


@statement("count_fates_of_filters")
def _question(
    work: Work, series: Series, groups: FilterGroups, others: Sequence[tuple[Field, Filter]]
) -> Select[Any]:
    """Build the statement: one scan over all contacts, then counts per combination of results."""
    filters = [item for group in groups for item in group]
    everybody = Everybody([*(item.target for item in filters), *(other for other, _ in others)])
    subject, moment, results = everybody.subject, work.moment, PackedResults()
    fits = results.add(fits_contact_type(series.contact_type, subject))
    suppressed = results.add(everybody.suppressed)
    in_audience = results.add(audience(series, subject, moment)) if not filters else None
    # With patience every audience asks for an address (§23).
    addressed = results.add(has_address(subject)) if filters and series.patience else None
    seen = [results.add(*_fates(item, subject, moment)) for item in filters]
    having = [
        results.add(_would_pass(item, other, subject, moment), has_value(other, subject))
        for other, item in others
    ]

    alike = results.counted(everybody)
    held = [result.says(alike, _HOLDS) for result in seen]
    mailed = addressed.says(alike) if addressed else true()
    holds = in_audience.says(alike) if in_audience else and_(_any_group(groups, held), mailed)
    right_type, kept_out = fits.says(alike), suppressed.says(alike)
    right = and_(right_type, ~kept_out)

    def eligible(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[Any]:
        return cast(array([tally(alike, right, each) for each in conditions]), ARRAY(BigInteger()))

    list_key = select(subscriptions.c.key).where(
        subscriptions.c.org_id == work.org_id, subscriptions.c.id == series.subscription_id
    )
    return select(
        tally(alike).label("contacts"),
        tally(alike, right).label("eligible"),
        tally(alike, right, holds).label("matched"),
        tally(alike, holds).label("in_audience"),
        tally(alike, holds, ~right_type, ~kept_out).label("other_type"),
        tally(alike, holds, right_type, kept_out).label("suppressed"),
        list_key.scalar_subquery().label("list_key"),
        eligible(held).label("passing"),
        eligible(and_(_any_group(groups, held, but=n), mailed) for n in range(len(held))).label(
            "without"
        ),
        eligible(result.says(alike, _ABSENT) for result in seen).label("absent"),
        eligible(result.says(alike, _OTHER_TYPE) for result in seen).label("other_type_of"),
        eligible(result.says(alike, _HOLDS) for result in having).label("would_pass"),
        eligible(result.says(alike, _HAS) for result in having).label("having"),
    )


def _fates(item: Filter, subject: Subject, moment: Moment) -> Iterator[ColumnElement[bool]]:
    """Yield the cases of a filter: it holds; it fails; its value is of another type. If none
    applies, the value is absent.

    This order is cheap: most contacts have a value that can be compared, so the last case is rarely
    evaluated.
    """
    yield predicate(((item,),), subject, moment)
    yield ~lacks(item, subject, moment)
    if item.target.custom and item.type is not None:
        yield has_value(item.target, subject)


def has_value(field: Field, subject: Subject) -> ColumnElement[bool]:
    """Return whether the field has a value of any type."""
    value = value_of(field, subject)
    if not field.custom:
        return value.is_not(None)
    return (func.jsonb_typeof(value) != literal_column("'null'")).is_(True)


def instead(item: Filter, other: Field) -> Filter | None:
    """Return the same filter on another field; None if that field cannot be compared like this."""
    try:
        return Filter(field=other.name, operator=item.operator, value=item.value)
    except Refusal:
        return None


def _would_pass(
    item: Filter, other: Field, subject: Subject, moment: Moment
) -> ColumnElement[bool]:
    moved = instead(item, other)
    return predicate(((moved,),), subject, moment) if moved else false()


def _any_group(
    groups: FilterGroups, held: Sequence[ColumnElement[bool]], but: int | None = None
) -> ColumnElement[bool]:
    """Return whether any group holds, without filter number ``but``."""
    numbers = iter(range(len(held)))
    numbered = [[next(numbers) for _ in group] for group in groups]
    return or_(*(and_(true(), *(held[n] for n in group if n != but)) for group in numbered))

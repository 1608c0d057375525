"""The stored values of fields whose filters pass nobody: a bounded sample for diagnose (§10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.answers.diagnose.counts import has_value
from halo_engine.audience.compiler import Subject, value_of
from halo_engine.audience.matching import fits_contact_type, scan, suppressed
from halo_engine.domain.fields.filters import Filter, Value
from halo_engine.domain.series.definition import Series
from halo_engine.sql.statements import statement
from halo_engine.work import Work

#: How many contacts with a value are sampled for each filter, and for how many filters.
_SAMPLE: Final = 10_000
_MOST_FILTERS: Final = 10
#: How many distinct values are kept, the most frequent, to find near ones.
_MOST_VALUES: Final = 200


@dataclass(frozen=True, slots=True)
class SeenValues:
    """Stored values, the most frequent first, each with how many sampled contacts have it."""

    counted: Sequence[tuple[Value, int]]

    @property
    def values(self) -> list[Value]:
        """The values, the most frequent first."""
        return [value for value, _ in self.counted]


def seen_values(work: Work, series: Series, filters: Sequence[Filter]) -> Mapping[int, SeenValues]:
    """Return the values of eligible contacts, by the filter's index in ``filters``.

    One statement, for the first ten filters.
    """
    asked = filters[:_MOST_FILTERS]
    if not asked:
        return {}
    found: dict[int, list[tuple[Value, int]]] = {ordinal: [] for ordinal in range(len(asked))}
    for row in work.connection.execute(_sample_seen_values(work, series, asked)):
        if isinstance(row.value, Value):
            found[row.ordinal].append((row.value, row.contacts))
    return {ordinal: SeenValues(counted) for ordinal, counted in found.items()}


@statement("sample_seen_values")
def _sample_seen_values(
    work: Work, series: Series, filters: Sequence[Filter]
) -> CompoundSelect[Any]:
    parts = [_counted(work, series, item, ordinal) for ordinal, item in enumerate(filters)]
    return union_all(*parts)


def _counted(work: Work, series: Series, item: Filter, ordinal: int) -> Select[Any]:
    subject = Subject.of_contacts()
    value: ColumnElement[Any] = func.to_jsonb(value_of(item.target, subject))
    conditions = [
        fits_contact_type(series.contact_type, subject),
        has_value(item.target, subject),
        ~suppressed(subject),
    ]
    looked_at = (
        select(value.label("value"))
        .select_from(scan(subject, [value, *conditions]))
        .where(subject.contact.c.org_id == work.org_id, *conditions)
        .limit(_SAMPLE)
        .subquery(f"looked_at_{ordinal}")
    )
    counted = (
        select(looked_at.c.value, func.count().label("contacts"))
        .group_by(looked_at.c.value)
        .order_by(literal_column("contacts").desc(), looked_at.c.value.cast(Text))
        .limit(_MOST_VALUES)
        .subquery(f"counted_{ordinal}")
    )
    return select(
        literal(ordinal, Integer()).label("ordinal"),
        counted.c.value.cast(JSONB).label("value"),
        counted.c.contacts,
    ).order_by(counted.c.contacts.desc(), counted.c.value.cast(Text))

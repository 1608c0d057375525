"""What the guards need to know of each series, as SQL: its settings, by ordinal (contract §4)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    Text,
    Uuid,
    literal,
)
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import GUARDS
from halo_engine.sql.rows import rows_of

_TYPES: Final[Mapping[type, TypeEngine[Any]]] = {
    bool: Boolean(),
    str: Text(),
    timedelta: Interval(),
}


def keeps_refusals(series: Series) -> bool:
    """Return whether the latest refusal of a contact is kept: if the trigger fires at an instant
    (§4).
    """
    return series.entry_trigger in (EntryTrigger.USER_CREATED, EntryTrigger.EVENT)


def have_seats(series: Sequence[Series]) -> bool:
    """Return whether any of the series is one per company (guard 10)."""
    return any(each.settings.one_per_company for each in series)


def have_addresses(series: Sequence[Series]) -> bool:
    """Return whether any of the series is one per address (guard 11)."""
    return any(each.settings.one_per_address for each in series)


def have_both(series: Sequence[Series]) -> bool:
    """Return whether any of the series is one per company and per address."""
    return any(each.settings.one_per_company and each.settings.one_per_address for each in series)


def have_discards(series: Sequence[Series]) -> bool:
    """Return whether contacts may have been discarded from any of the series (contract §19)."""
    return any(
        each.has_surges and each.entry_trigger is EntryTrigger.SEGMENT_MATCH for each in series
    )


def rules_of(series: Sequence[Series]) -> FromClause:
    """Return the rules of all of the series, as rows."""
    return rows_of("rules", _rules(series))


def rules_at(series: Sequence[Series], ordinal: ColumnElement[int]) -> list[ColumnElement[Any]]:
    """Return the rules of the series at ``ordinal``, as columns of the same names.

    For statements in which PostgreSQL underestimates the rows: a join would scan all series for
    each of them.
    """
    return [
        Grouping(literal(list(values), ARRAY(type_)))[ordinal + 1].label(name)
        for name, (type_, values) in _rules(series).items()
    ]


def _rules(series: Sequence[Series]) -> Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]:
    readings = [guard.reads for guard in GUARDS if guard.reads is not None]
    return {
        "ordinal": (Integer(), range(len(series))),
        "automation_id": (Uuid(), [each.id for each in series]),
        "keeps_refusals": (Boolean(), [keeps_refusals(each) for each in series]),
        "patience": (Interval(), [each.patience for each in series]),
        "series_version": (Integer(), [each.version for each in series]),
        **{
            reading.name: (_TYPES[reading.type], [reading.value(each) for each in series])
            for reading in readings
        },
    }

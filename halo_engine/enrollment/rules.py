"""What the guards need to know of each series, as SQL: its settings, by ordinal (contract §4)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

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
from halo_engine.domain.series import Series
from halo_engine.tables.rows import rows_of


def keeps_refusals(series: Series) -> bool:
    """Return whether the latest refusal of a contact is kept: if the trigger fires at an instant
    (§4).
    """
    return series.entry_trigger in (EntryTrigger.USER_CREATED, EntryTrigger.EVENT)


def have_seats(series: Sequence[Series]) -> bool:
    """Return whether any of the series is one per company (guard 10)."""
    return any(each.settings.one_per_company for each in series)


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
    def delay(each: Series) -> timedelta | None:
        days = each.settings.reenroll_delay_days
        return timedelta(days=days) if days else None

    return {
        "ordinal": (Integer(), range(len(series))),
        "automation_id": (Uuid(), [each.id for each in series]),
        "is_active": (Boolean(), [each.is_active for each in series]),
        "wants": (Text(), [each.contact_type.value for each in series]),
        "keeps_refusals": (Boolean(), [keeps_refusals(each) for each in series]),
        "reenrolls": (Boolean(), [each.settings.reenroll_enabled for each in series]),
        "reenroll_delay": (Interval(), [delay(each) for each in series]),
        "wants_new_match": (
            Boolean(),
            [each.entry_trigger is EntryTrigger.SEGMENT_MATCH for each in series],
        ),
        "one_per_company": (Boolean(), [each.settings.one_per_company for each in series]),
    }

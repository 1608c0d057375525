"""What passes over the contacts have to look at in a series, beside who is noted (contract §4)."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.domain.fields.catalogue import Entity, Field, FieldType
from halo_engine.domain.fields.filters import Filter
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.instants import RelativeInstant, parse_date_value

#: Columns that change without a signal: with every call, every mail, every older event.
_UNSIGNALED: Final = frozenset({"first_seen", "last_seen", "last_contacted_at"})


def looks_at_everybody(series: Series) -> bool:
    """Return whether every pass has to look at everybody for the series: it asks for what changes
    without a note, or who enters depends on others who are held.
    """
    settings = series.settings
    if series.has_surges and (settings.one_per_company or settings.one_per_address):
        return True
    return any(_is_unsignaled(each) for each in _asked(series))


def moving_dates(series: Iterable[Series]) -> list[Filter]:
    """Return the filters of the series that time alone may change, each once."""
    return [*dict.fromkeys(item for each in series for item in _asked(each) if _moves(item))]


def delay_of(series: Series) -> timedelta | None:
    """Return how long after its latest enrollment a contact may enter again, if it ever may."""
    days = series.settings.reenroll_delay_days
    if not (_enters_by_passes(series) and series.settings.reenroll_enabled and days):
        return None
    return timedelta(days=days)


def _asked(series: Series) -> Iterator[Filter]:
    """Yield the filters that a pass asks about: who enters, who was seen outside, which goals
    hold.
    """
    matches_anew = series.entry_trigger is EntryTrigger.SEGMENT_MATCH
    for groups in (
        series.audience_filters if matches_anew else (),
        series.exit_filters if _enters_by_passes(series) else (),
        series.goal_filters,
    ):
        for group in groups:
            yield from group


def _enters_by_passes(series: Series) -> bool:
    return series.is_active and series.entry_trigger is EntryTrigger.SEGMENT_MATCH


def _is_unsignaled(item: Filter) -> bool:
    return item.within is not None or _changes_unsaid(item.target)


def _changes_unsaid(field: Field) -> bool:
    # A worker that read the organisation before a series was named announces no change of it.
    is_bare = field.entity is Entity.CONTACT and not field.custom
    return field.entity is Entity.SERIES or (is_bare and field.attribute in _UNSIGNALED)


def _moves(item: Filter) -> bool:
    if not item.operator.takes_value or item.type is not FieldType.DATE:
        return False
    return isinstance(parse_date_value(item.value, ZoneInfo("UTC")), RelativeInstant)

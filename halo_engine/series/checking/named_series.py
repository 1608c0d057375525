"""The series that filters name: whoever begins or ends a run there has changed (contract §22).

A series that no filter names any more stays: it costs a signal for each of its runs.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import ARRAY, Text, Update, literal, update

from halo_engine.domain.fields.catalogue import Entity
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.settings import FILTER_SETTINGS
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations
from halo_engine.work import Work


def announce_named(work: Work, definition: SeriesDefinition) -> None:
    """From now on, announce changes of the series that the filters of ``definition`` name."""
    settings = definition.settings
    places = (getattr(settings, name) for name in FILTER_SETTINGS)
    named = {key for groups in (definition.audience_filters, *places) for key in keys_in(groups)}
    new = sorted(named.difference(work.org.announced_series))
    if new:
        work.connection.execute(_announce_series(work, new))


def keys_in(groups: FilterGroups) -> Iterator[str]:
    """Yield the keys of the series that filters name."""
    for group in groups:
        for item in group:
            if item.target.entity is Entity.SERIES:
                yield item.target.attribute


@statement("announce_series")
def _announce_series(work: Work, series_keys: Sequence[str]) -> Update:
    table = organizations
    return (
        update(table)
        .where(table.c.id == work.org_id)
        .values(announced_series=table.c.announced_series + literal([*series_keys], ARRAY(Text())))
    )

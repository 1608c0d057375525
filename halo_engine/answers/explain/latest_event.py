"""The latest event of a series' trigger, with what the entry filters see in it (contract §21)."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, Uuid, and_, any_, cast, literal, select
from sqlalchemy.dialects.postgresql import JSONB, array

from halo_engine.answers.filter_results import all_hold, all_lack
from halo_engine.audience.compiler import Subject, value_of
from halo_engine.domain.fields.results import FilterResult
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import LatestEvent
from halo_engine.sql.statements import statement
from halo_engine.tables import event_counts, events
from halo_engine.tables.events import came_since
from halo_engine.work import Work


def latest_events(
    work: Work, series: Series, contacts: Collection[UUID]
) -> Mapping[UUID, LatestEvent]:
    """Return for each of ``contacts`` the latest live event, in one statement; without entry
    filters nothing is read.
    """
    groups = series.settings.entry_event_filters
    if not contacts or not groups or series.entry_trigger is not EntryTrigger.EVENT:
        return {}
    filters = [item for group in groups for item in group]
    found = {}
    for row in work.connection.execute(_find_latest_events(work, series, contacts)):
        seen = iter(
            FilterResult(item, holds, missing, value)
            for item, holds, missing, value in zip(
                filters, row.held, row.lacked, row.read, strict=True
            )
        )
        grouped = [list(islice(seen, len(group))) for group in groups]
        found[row.end_user_id] = LatestEvent(row.happened_at, grouped)
    return found


@statement("find_latest_events")
def _find_latest_events(work: Work, series: Series, contacts: Collection[UUID]) -> Select[Any]:
    filters = [item for group in series.settings.entry_event_filters for item in group]
    subject = Subject.of_contacts().with_properties(events.c.properties)
    counts = event_counts
    name = literal(series.settings.entry_event_name, Text())
    values = [value_of(each.target, subject) for each in filters]
    return (
        select(
            counts.c.end_user_id,
            events.c.happened_at,
            all_hold(filters, subject, work.moment).label("held"),
            all_lack(filters, subject, work.moment).label("lacked"),
            cast(array(values), ARRAY(JSONB())).label("read"),
        )
        .select_from(counts)
        .join(
            events,
            and_(
                events.c.org_id == counts.c.org_id,
                events.c.id == counts.c.live_id,
                came_since(counts.c.live_at),
            ),
        )
        .where(
            counts.c.org_id == work.org_id,
            counts.c.name == name,
            counts.c.end_user_id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
    )

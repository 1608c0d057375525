"""Which series hold contacts, how many, and since when (contract §19)."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, held_entries
from halo_engine.work import Work


class HeldContacts(Answer):
    """A series whose surge holds contacts: how many, and since when the first of them."""

    series: str
    contacts: int
    since: Instant


def held_contacts(work: Work) -> list[HeldContacts]:
    """Return the active and paused series that hold contacts, the longest first."""
    rows = work.connection.execute(_count_by_series(work)).mappings()
    return [HeldContacts.model_validate(row) for row in rows]


@statement("count_held_by_series")
def _count_by_series(work: Work) -> Select[Any]:
    held, series = held_entries, automations
    since = func.min(held.c.held_at)
    return (
        select(series.c.key.label("series"), func.count().label("contacts"), since.label("since"))
        .select_from(held.join(series, has_values(series, work.org_id, id=held.c.automation_id)))
        .where(
            held.c.org_id == work.org_id,
            series.c.status.in_([SeriesStatus.ACTIVE, SeriesStatus.PAUSED]),
        )
        .group_by(series.c.key)
        .order_by(since, series.c.key)
    )


def held_needs(found: Sequence[HeldContacts]) -> Iterator[str]:
    """Yield for each of them what a person has to do."""
    for each in found:
        yield (
            f"series {each.series} holds contacts back: {each.contacts} "
            f"(`halo series release {each.series}`, or with --discard)"
        )

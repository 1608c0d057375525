"""Which series hold contacts, how many, and since when (contract §19)."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.surges import Pace
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, held_entries
from halo_engine.work import Work


class HeldContacts(Answer):
    """A series whose surge holds contacts: how many, and since when the first of them.

    ``releasing`` is the pace of the release that is under way, such as 500/1h; None without one.
    """

    series: str
    contacts: int
    since: Instant
    releasing: str | None = None


def held_contacts(work: Work) -> list[HeldContacts]:
    """Return the active and paused series that hold contacts, the longest first."""
    rows = work.connection.execute(_count_by_series(work)).mappings()
    return [
        HeldContacts(
            series=row["series"],
            contacts=row["contacts"],
            since=row["since"],
            releasing=_said(Pace.stored(row["release_at_most"], row["release_within_seconds"])),
        )
        for row in rows
    ]


def _said(pace: Pace | None) -> str | None:
    return None if pace is None else str(pace)


@statement("count_held_by_series")
def _count_by_series(work: Work) -> Select[Any]:
    held, series = held_entries, automations
    since = func.min(held.c.held_at)
    pace = series.c.release_at_most, series.c.release_within_seconds
    return (
        select(
            series.c.key.label("series"),
            func.count().label("contacts"),
            since.label("since"),
            *pace,
        )
        .select_from(held.join(series, has_values(series, work.org_id, id=held.c.automation_id)))
        .where(
            held.c.org_id == work.org_id,
            series.c.status.in_([SeriesStatus.ACTIVE, SeriesStatus.PAUSED]),
        )
        .group_by(series.c.key, *pace)
        .order_by(since, series.c.key)
    )


def held_needs(found: Sequence[HeldContacts]) -> Iterator[str]:
    """Yield for each of them what a person has to do: nothing where a release is under way."""
    for each in found:
        if each.releasing is not None:
            continue
        yield (
            f"series {each.series} holds contacts back: {each.contacts} "
            f"(`halo series release {each.series}`, or with --discard)"
        )

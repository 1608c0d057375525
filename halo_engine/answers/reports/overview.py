"""All series at a glance (``halo series list``), and page by page for people who search."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Uuid,
    and_,
    any_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.reasons import AudienceType, EntryTrigger, SeriesKind, SeriesStatus
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.values import check_text
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automations,
    cleared_mails,
    messages,
)
from halo_engine.work import Work


class SeriesLine(Answer):
    """One series; ``enrollments`` counts all runs, ``active`` those that have not ended."""

    series: str
    name: str
    status: SeriesStatus
    kind: SeriesKind
    entry_trigger: EntryTrigger
    audience_type: AudienceType
    enrollments: int
    active: int
    updated_at: Instant


def overview(work: Work) -> list[SeriesLine]:
    """Return a line for each of the organisation's series, in order of creation."""
    rows = work.connection.execute(_read_overview(work)).mappings()
    return [SeriesLine.model_validate(dict(row)) for row in rows]


@statement("read_overview")
def _read_overview(work: Work) -> Select[Any]:
    series, runs = automations, automation_enrollments
    in_it = and_(runs.c.org_id == series.c.org_id, runs.c.automation_id == series.c.id)
    shown = ("name", "status", "kind", "entry_trigger", "audience_type", "updated_at")
    return (
        select(
            series.c.key.label("series"),
            *[series.c[name] for name in shown],
            func.count(runs.c.id).label("enrollments"),
            func.count(runs.c.id).filter(runs.c.ended_at.is_(None)).label("active"),
        )
        .select_from(series.outerjoin(runs, in_it))
        .where(series.c.org_id == work.org_id)
        .group_by(series.c.org_id, series.c.id)
        .order_by(series.c.created_at, series.c.id)
    )


class FoundSeries(Answer):
    """One series as a list shows it; ``entry_event_name`` is that of the trigger ``event``."""

    series: str
    name: str
    status: SeriesStatus
    kind: SeriesKind
    entry_trigger: EntryTrigger
    entry_event_name: str | None
    audience_type: AudienceType
    updated_at: Instant


class SeriesPage(Answer):
    """A page of series, the newest first; ``found`` counts those that the search finds in all.

    ``next`` is the ``after`` of the page that follows.
    """

    items: tuple[FoundSeries, ...]
    found: int
    next: UUID | None


class SeriesCounts(Answer):
    """What came of a series so far.

    ``active`` counts runs that have not ended, ``entered`` and ``converted`` contacts, ``sent``
    emails.
    """

    series: str
    active: int
    entered: int
    converted: int
    sent: int


def find_some(
    work: Work, search: str | None = None, after: UUID | None = None, size: int = PAGE
) -> SeriesPage:
    """Return up to ``size`` series, newest first, that follow the one of the id ``after``.

    ``search`` keeps those whose name or key has it, in any case.
    """
    if search is not None:
        check_text(search, "search")
    rows = work.connection.execute(_page_series(work, search, after, size + 1)).mappings().all()
    page = rows[:size]
    return SeriesPage(
        items=tuple(FoundSeries.model_validate(dict(row)) for row in page),
        found=work.connection.execute(_count_series(work, search)).scalar_one(),
        next=page[-1]["id"] if len(rows) > size else None,
    )


def count_some(work: Work, keys: Sequence[str]) -> list[SeriesCounts]:
    """Return the counts of the series of these keys, as far as they exist, in no order.

    Each table is read once, whole; only where a later run converted, a few runs are looked up.
    """
    for key in keys:
        check_text(key, "series")
    ids = {row.key: row.id for row in work.connection.execute(_find_series_of(work, keys))}
    runs = _by_series(work, _count_runs_of(work, [*ids.values()]))
    sent = _by_series(work, _count_sent_of(work, [*ids.values()]))
    later = [each for each, row in runs.items() if row["later"]]
    repeated = _by_series(work, _count_repeated_of(work, later)) if later else {}
    return [
        SeriesCounts(
            series=key,
            active=runs.get(each, _NONE)["active"],
            entered=runs.get(each, _NONE)["entered"],
            converted=runs.get(each, _NONE)["converted"] - repeated.get(each, _NONE)["repeated"],
            sent=sent.get(each, _NONE)["sent"],
        )
        for key, each in ids.items()
    ]


#: What is counted of a series that nobody entered.
_NONE: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(("active", "entered", "converted", "repeated", "sent"), 0)
)


def _by_series(work: Work, counting: Select[Any]) -> Mapping[UUID, Mapping[str, int]]:
    rows = work.connection.execute(counting).mappings()
    return {row["automation_id"]: {k: row[k] for k in row if k != "automation_id"} for row in rows}


@statement("page_series", after=None)
def _page_series(work: Work, search: str | None, after: UUID | None, limit: int) -> Select[Any]:
    series = automations
    shown = ("name", "status", "kind", "entry_trigger", "audience_type", "updated_at")
    event = series.c.settings["entry_event_name"].as_string().label("entry_event_name")
    found = select(series.c.id, series.c.key.label("series"), *[series.c[n] for n in shown], event)
    if after is not None:
        found = found.where(series.c.id < after)
    return found.where(*_searched(work, search)).order_by(series.c.id.desc()).limit(limit)


@statement("count_series")
def _count_series(work: Work, search: str | None) -> Select[Any]:
    return select(func.count()).select_from(automations).where(*_searched(work, search))


def _searched(work: Work, search: str | None) -> list[Any]:
    series = automations
    mine = series.c.org_id == work.org_id
    if not search:
        return [mine]
    columns = (series.c.name, series.c.key)
    has_it = [func.lower(column).contains(search.lower(), autoescape=True) for column in columns]
    return [mine, or_(*has_it)]


@statement("find_series_of", keys=["welcome"])
def _find_series_of(work: Work, keys: Sequence[str]) -> Select[Any]:
    series = automations
    return select(series.c.id, series.c.key).where(
        series.c.org_id == work.org_id, series.c.key.in_(keys)
    )


@statement("count_runs_of", ids=[UUID(int=7)])
def _count_runs_of(work: Work, ids: Sequence[UUID]) -> Select[Any]:
    runs = automation_enrollments
    has_converted = runs.c.converted_at.is_not(None)
    return (
        select(
            runs.c.automation_id,
            func.count().filter(runs.c.ended_at.is_(None)).label("active"),
            # A contact's runs in a series are numbered from 1, so nothing is sorted, and nothing
            # looked up, to find who is who: what does either keeps workers of the database out.
            func.count().filter(runs.c.number == 1).label("entered"),
            func.count(runs.c.converted_at).label("converted"),
            func.count().filter(runs.c.number > 1, has_converted).label("later"),
        )
        .where(runs.c.org_id == work.org_id, _is_any(runs.c.automation_id, ids))
        .group_by(runs.c.automation_id)
    )


@statement("count_repeated_of", ids=[UUID(int=7)])
def _count_repeated_of(work: Work, ids: Sequence[UUID]) -> Select[Any]:
    """Count the runs that converted after an earlier run of their contact had."""
    runs, earlier = automation_enrollments, automation_enrollments.alias("earlier")
    converted_before = exists().where(
        *(earlier.c[name] == runs.c[name] for name in ("org_id", "automation_id", "end_user_id")),
        earlier.c.number < runs.c.number,
        earlier.c.converted_at.is_not(None),
    )
    return (
        select(runs.c.automation_id, func.count().label("repeated"))
        .where(
            runs.c.org_id == work.org_id,
            _is_any(runs.c.automation_id, ids),
            runs.c.number > 1,
            runs.c.converted_at.is_not(None),
            converted_before,
        )
        .group_by(runs.c.automation_id)
    )


@statement("count_sent_of", ids=[UUID(int=7)])
def _count_sent_of(work: Work, ids: Sequence[UUID]) -> Select[Any]:
    """Count the mails that are there and those that were deleted for their age."""
    of_series, cleared = messages.c.automation_id, cleared_mails
    present = (
        select(of_series, func.count(messages.c.sent_at).label("sent"))
        .where(messages.c.org_id == work.org_id, _is_any(of_series, ids))
        .group_by(of_series)
    )
    earlier = select(cleared.c.automation_id, cleared.c.sent).where(
        cleared.c.org_id == work.org_id, _is_any(cleared.c.automation_id, ids)
    )
    both = present.union_all(earlier).subquery("both")
    sent = cast(func.sum(both.c.sent), BigInteger).label("sent")
    return select(both.c.automation_id, sent).group_by(both.c.automation_id)


def _is_any(column: ColumnElement[UUID], ids: Sequence[UUID]) -> ColumnElement[bool]:
    # One look into a hash for each row: a join with the ids would pass every row on.
    return column == any_(literal(list(ids), ARRAY(Uuid())))

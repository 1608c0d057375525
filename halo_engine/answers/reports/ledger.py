"""The ledger of a series: the matched contacts, each in one bucket (contract §10)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, func, literal, not_, select

from halo_engine.answers.codes import ACTIVE, CODES, coded, lacking_since
from halo_engine.domain.answer import Answer
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.times.instants import Instant
from halo_engine.enrollment.guards import is_matched
from halo_engine.sql.statements import statement
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.tables import automation_enrollments
from halo_engine.work import Work


class Ledger(Answer):
    """The matched contacts by code: ``active``, or the reason that keeps them out.

    ``buckets`` has the non-empty ones in the order of §4; they sum up to ``matched``.
    ``active_outside`` counts active contacts that no longer match, ``held_outside`` held ones,
    ``waiting_outside`` those who wait for data and do not match yet (§23). ``complete_since``: a
    refusal, or an event, from before is not kept any more, and could put a contact into another
    bucket (§24); None where none could.
    """

    series: str
    matched: int
    buckets: Mapping[str, int]
    active_outside: int
    held_outside: int = 0
    waiting_outside: int = 0
    complete_since: Instant | None = None


def ledger(work: Work, series: Series) -> Ledger:
    """Return the ledger of ``series`` as it stands now, in two statements (contract §10)."""
    analyze_unknown(work.connection)
    counts, everywhere, held, waiting = work.connection.execute(_count_ledger(work, series)).one()
    return Ledger(
        series=series.key,
        matched=sum(counts.values()),
        buckets={code: counts[code] for code in CODES if code in counts},
        active_outside=everywhere - counts.get(ACTIVE, 0),
        held_outside=held,
        waiting_outside=waiting,
        complete_since=lacking_since(work, series, counts),
    )


@statement("count_ledger")
def _count_ledger(work: Work, series: Series) -> Select[Any]:
    found = coded(work, series)
    codes = (
        select(found.c.code, func.count().label("contacts"))
        .where(is_matched(found))
        .group_by(found.c.code)
        .subquery("codes")
    )
    waiting: ColumnElement[int] = literal(0)
    if series.patience:
        is_outside = func.coalesce(is_matched(found), False).is_(False)
        waits = found.c.code == ReasonCode.WAITING_FOR_DATA.value
        waiting = select(func.count()).where(waits, is_outside).scalar_subquery()
    runs = automation_enrollments
    active = select(func.count()).where(
        runs.c.org_id == work.org_id, runs.c.automation_id == series.id, runs.c.ended_at.is_(None)
    )
    held: ColumnElement[int] = literal(0, Integer())
    if series.has_surges:
        is_held = found.c.code == ReasonCode.SURGE_HELD.value
        outside = (
            select(func.count())
            .select_from(found)
            .where(is_held, not_(func.coalesce(is_matched(found), False)))
        )
        held = outside.scalar_subquery()
    return select(
        func.coalesce(
            func.jsonb_object_agg(codes.c.code, codes.c.contacts), func.jsonb_build_object()
        ),
        active.scalar_subquery(),
        held,
        waiting,
    ).select_from(codes)

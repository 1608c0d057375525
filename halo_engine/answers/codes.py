"""The code of a contact in explain and the ledger: ``active``, or the first reason (§4).

Both read the guards from ``enrollment.guards``, as enrollment does, so all three agree.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, and_, case, cast, false, func, null, or_, select

from halo_engine.answers.joins import has_values
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import GUARDS, ReasonCode
from halo_engine.domain.times.retention import History
from halo_engine.enrollment.candidates import Asked
from halo_engine.enrollment.guards import as_they_stand
from halo_engine.enrollment.patience import is_of_pair, is_waiting
from halo_engine.enrollment.rules import keeps_refusals
from halo_engine.series.histories import complete_since
from halo_engine.sql.metadata import INSTANT
from halo_engine.tables import enrollment_refusals, held_entries, waiting_entries
from halo_engine.work import Work

#: The code of a contact with an active enrollment; it comes before all guards.
ACTIVE: Final = "active"

#: A kept refusal, or an event that holds no filter, comes before all guards and this.
COULD_BE_OTHER: Final = frozenset(
    {*(guard.key.value for guard in GUARDS), ReasonCode.TRIGGER_NOT_FIRED.value}
)

#: Every code that can be answered, in the order of the contract.
CODES: Final = (ACTIVE, *(code.value for code in ReasonCode))


def lacking_since(work: Work, series: Series, codes: Collection[str]) -> datetime | None:
    """Return from when on refusals and events are there, where older ones could have led to another
    code than one of these (contract §24).
    """
    if not keeps_refusals(series) or COULD_BE_OTHER.isdisjoint(codes):
        return None
    return complete_since(work, History.REFUSALS, History.EVENTS)


def coded(work: Work, series: Series, contacts: Collection[UUID] | None = None) -> CTE:
    """Return the CTE ``coded``: ``contacts`` (None: all), each with its ``code``.

    ``refused_at`` is the instant of a kept refusal, unless the contact was enrolled later;
    ``held_at`` that of the trigger of one that is held.
    """
    judged = as_they_stand(work.org_id, [series], work.moment, Asked(work.now, contacts))
    kept = enrollment_refusals
    source = judged.outerjoin(
        kept,
        and_(
            judged.c.keeps_refusals,
            kept.c.org_id == work.org_id,
            kept.c.automation_id == judged.c.automation_id,
            kept.c.end_user_id == judged.c.end_user_id,
            kept.c.arrival > func.coalesce(judged.c.latest_id, 0),
        ),
    )
    held_at: ColumnElement[datetime | None] = cast(null(), INSTANT)
    if series.has_surges:
        place = held_entries
        its = has_values(
            place,
            work.org_id,
            automation_id=judged.c.automation_id,
            end_user_id=judged.c.end_user_id,
        )
        source, held_at = source.outerjoin(place, its), place.c.held_at
    not_active = ReasonCode.SERIES_NOT_ACTIVE.value
    waits, since, until = _waiting(work, series, judged)
    if series.patience:
        source = source.outerjoin(waiting_entries, is_of_pair(work.org_id, judged))
    code = case(
        (judged.c.is_enrolled, ACTIVE),
        (judged.c.guard == not_active, not_active),
        *([(held_at.is_not(None), ReasonCode.SURGE_HELD.value)] if series.has_surges else []),
        (waits, ReasonCode.WAITING_FOR_DATA.value),
        else_=func.coalesce(kept.c.code, judged.c.guard, _unrefused(series).value),
    )
    # Of whom is held an older refusal says nothing, and who waits is not refused yet.
    refused_at = case((or_(waits, held_at.is_not(None)), null()), else_=kept.c.refused_at)
    columns = {
        "code": code,
        "refused_at": refused_at,
        "held_at": held_at,
        "fired_at": since,
        "waits_until": until,
    }
    named = [column.label(name) for name, column in columns.items()]
    return select(judged, *named).select_from(source).cte("coded")


def _waiting(
    work: Work, series: Series, judged: CTE
) -> tuple[ColumnElement[bool], ColumnElement[datetime], ColumnElement[datetime]]:
    """Return whether a contact waits for data, since when, and until when (§23)."""
    if not series.patience:
        never = cast(null(), INSTANT)
        return false(), never, never
    since = waiting_entries.c.fired_at
    return func.coalesce(is_waiting(judged, work.now), False), since, since + judged.c.patience


def _unrefused(series: Series) -> ReasonCode:
    """Return the code of a contact that no guard refuses and that is not enrolled."""
    if series.entry_trigger is EntryTrigger.SEGMENT_MATCH:
        return ReasonCode.AWAITING_EVALUATION
    return ReasonCode.TRIGGER_NOT_FIRED

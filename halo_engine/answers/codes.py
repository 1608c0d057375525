"""The code of a contact in explain and the ledger: ``active``, or the first reason (§4).

Both read the guards from ``enrollment.guards``, as enrollment does, so all three agree.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, and_, case, cast, func, null, select

from halo_engine.answers.joins import has_values
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.enrollment.candidates import Asked
from halo_engine.enrollment.guards import as_they_stand
from halo_engine.sql.metadata import INSTANT
from halo_engine.tables import enrollment_refusals, held_entries
from halo_engine.work import Work

#: The code of a contact with an active enrollment; it comes before all guards.
ACTIVE: Final = "active"

#: Every code that can be answered, in the order of the contract.
CODES: Final = (ACTIVE, *(code.value for code in ReasonCode))


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
    code = case(
        (judged.c.is_enrolled, ACTIVE),
        (judged.c.guard == not_active, not_active),
        *([(held_at.is_not(None), ReasonCode.SURGE_HELD.value)] if series.has_surges else []),
        else_=func.coalesce(kept.c.code, judged.c.guard, _unrefused(series).value),
    )
    refused_at: ColumnElement[datetime | None] = kept.c.refused_at
    if series.has_surges:
        # Of whom is held, an older refusal says nothing.
        refused_at = case((held_at.is_(None), refused_at))
    return (
        select(
            judged,
            code.label("code"),
            refused_at.label("refused_at"),
            held_at.label("held_at"),
        )
        .select_from(source)
        .cte("coded")
    )


def _unrefused(series: Series) -> ReasonCode:
    """Return the code of a contact that no guard refuses and that is not enrolled."""
    if series.entry_trigger is EntryTrigger.SEGMENT_MATCH:
        return ReasonCode.AWAITING_EVALUATION
    return ReasonCode.TRIGGER_NOT_FIRED

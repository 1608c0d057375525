"""What frequency caps count: the marketing that a contact got, in SQL (contract §20)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    and_,
    case,
    exists,
    func,
    literal_column,
    null,
    select,
)
from sqlalchemy.types import TypeEngine

from halo_engine.domain.reasons import SeriesKind
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.rows import asked_values, rows_asked
from halo_engine.tables import automations, messages

_CAPS: Final[dict[str, TypeEngine[Any]]] = {"at_most": Integer(), "within": Interval()}
#: When a mail counts: when it was sent; under way or of unknown outcome, by the intent.
_COUNTED_AT: Final = case(
    (messages.c.state == literal_column("'sent'"), messages.c.sent_at),
    else_=messages.c.intended_at,
)


def mailed(
    org_id: UUID, series: Sequence[Series], steps: Sequence[Step], given: FromClause
) -> ColumnElement[Any]:
    """Return when the contact got mail that counts, the latest first, as far as caps ask; NULL at
    a step that they do not hold back.
    """
    held = {step.id for each in series for step in each.steps if each.is_capped(step)}
    asking = [number for number, step in enumerate(steps) if step.id in held]
    if not asking:
        return null()
    most = max(cap.at_most for each in series for cap in each.hours.caps)
    latest = (
        select(_COUNTED_AT)
        .where(_counts(org_id, given.c.end_user_id, given.c.recipient_id))
        .order_by(_COUNTED_AT.desc())
        .limit(most)
        .scalar_subquery()
    )
    return case((given.c.step.in_(asking), func.array(latest, type_=ARRAY(INSTANT))))


def is_over_a_cap(row: FromClause, now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return whether a cap allows the row's contact no mail more; the caps are parameters
    (``caps_asked``).
    """
    caps = rows_asked("caps", _CAPS)
    counted = (
        select(func.count())
        .where(
            _counts(row.c.org_id, row.c.end_user_id, row.c.id), now - caps.c.within < _COUNTED_AT
        )
        .correlate(row, caps)
        .scalar_subquery()
    )
    return exists(select(1).select_from(caps).where(counted >= caps.c.at_most).correlate(row))


def caps_asked(caps: FrequencyCaps) -> dict[str, Sequence[Any]]:
    """Return caps as parameters."""
    columns: dict[str, Sequence[Any]] = {
        "at_most": [cap.at_most for cap in caps],
        "within": [cap.within for cap in caps],
    }
    return asked_values("caps", columns)


def _counts(org_id: Any, contact_id: ColumnElement[UUID], row_id: Any) -> ColumnElement[bool]:
    """Return whether a mail counts for a contact; that of the row itself does not."""
    kind = (
        select(automations.c.kind == literal_column(f"'{SeriesKind.MARKETING}'"))
        .where(
            automations.c.org_id == messages.c.org_id, automations.c.id == messages.c.automation_id
        )
        .correlate(messages)
        .scalar_subquery()
    )
    return and_(
        messages.c.org_id == org_id,
        messages.c.end_user_id == contact_id,
        messages.c.recipient_id != row_id,
        messages.c.state != literal_column("'failed'"),
        func.coalesce(messages.c.marketing, kind),
    )

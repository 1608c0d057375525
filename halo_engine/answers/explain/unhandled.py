"""Signals of a contact that wait or failed: explain names the oldest (contract §10)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, Text, Uuid, and_, any_, cast, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.signals import PART_OF, SignalKind
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, signals
from halo_engine.work import Work

#: Wide signals are handled page by page, so explain names them only if they failed.
_WIDE: Final = [kind for kind in SignalKind if kind.is_wide]
_PARKED: Final = ("parked_at", "error", "retry_at")
_NAMES: Final[Mapping[SignalKind, str]] = {
    SignalKind.CREATED: "its creation",
    SignalKind.PROMOTED: "its becoming a user",
    SignalKind.CHANGED: "a change of it",
    SignalKind.SILENT: "a change of it",
    SignalKind.EVENT: "an event of it",
    SignalKind.COMPANY_CHANGED: "a change of its company",
    SignalKind.ACTIVATED: "the activation",
    SignalKind.REEVALUATED: "a re-evaluation",
}


@dataclass(frozen=True, slots=True)
class Unhandled:
    """Why a signal of a contact and a series is not handled, and what to do."""

    why: str
    change: str
    until: datetime | None


def unhandled(work: Work, series: Series, contacts: Collection[UUID]) -> Mapping[UUID, Unhandled]:
    """Return for each of ``contacts`` the oldest signal that waits or failed, if there is one.

    One statement, which reads one row for each contact.
    """
    rows = work.connection.execute(_find_unhandled_signals(work, series, contacts))
    return {row.contact_id: _unhandled(work, row) for row in rows}


@statement("find_unhandled_signals")
def _find_unhandled_signals(work: Work, series: Series, contacts: Collection[UUID]) -> Select[Any]:
    contact, named = end_users, signals.c.cursor[PART_OF].astext
    concerns = or_(
        signals.c.end_user_id == contact.c.id,
        and_(
            signals.c.kind.in_(_WIDE),
            signals.c.parked_at.is_not(None),
            or_(named.is_(None), named == cast(contact.c.id, Text())),
            or_(signals.c.company_id.is_(None), signals.c.company_id == contact.c.company_id),
        ),
    )
    return (
        select(
            contact.c.id.label("contact_id"),
            *[signals.c[name] for name in ("id", "kind", "happened_at", *_PARKED)],
        )
        .ext(distinct_on(contact.c.id))
        .select_from(signals.join(contact, and_(contact.c.org_id == signals.c.org_id, concerns)))
        .where(
            signals.c.org_id == work.org_id,
            or_(signals.c.automation_id.is_(None), signals.c.automation_id == series.id),
            contact.c.id == any_(literal(list(contacts), ARRAY(Uuid()))),
        )
        .order_by(contact.c.id, signals.c.id)
    )


def _unhandled(work: Work, row: Row[Any]) -> Unhandled:
    zone = work.org.zone
    what = f"A signal of {_NAMES[SignalKind(row.kind)]}, of {on_the_clock(row.happened_at, zone)},"
    if row.parked_at is None:
        return Unhandled(f"{what} has not been handled yet.", "Wait until it is handled.", None)
    why = f"{what} could not be handled: {row.error}."
    retry = f"`halo signals retry {row.id}`"
    if row.retry_at is None:
        return Unhandled(why, f"It was set aside: mend the cause, then {retry}.", None)
    at = on_the_clock(row.retry_at, zone)
    return Unhandled(why, f"It is tried again at {at}, or by {retry}.", row.retry_at)

"""Operators' orders, by their sending time: an older one that arrives late is refused (contract
§2).

A series stores when the last change of its status, and of its definition, was ordered. That is the
order's sending time; without one, the instant at which it arrived.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, select, update

from halo_engine.domain.errors import Refusal, conflict
from halo_engine.domain.instants import format_instant
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.series.locks import lock_series_for_change
from halo_engine.tables import automations
from halo_engine.work import Work


class Ordered(StrEnum):
    """The part of a series that an order changes, as the column that stores when it was ordered."""

    STATUS = "status_ordered_at"
    DEFINITION = "definition_ordered_at"


def overtaken(what: str, sent_at: datetime, changed_at: datetime) -> Refusal:
    """Make the 409 for an order that was sent before the last change of what it orders."""
    problem = f"{what} was changed at {format_instant(changed_at)}; this order was sent before"
    allowed = "allowed is one that is sent later, if it is still wanted"
    return conflict("overtaken", f"{problem}, at {format_instant(sent_at)}; {allowed}")


@contextmanager
def in_order(
    work: Work, keys: Collection[str], what: Ordered, sent_at: datetime | None
) -> Iterator[None]:
    """Carry out an order about series, unless it was sent before the last change of ``what`` (409).

    The body changes the series as of now; afterwards the sending time is noted of those that it
    changed. Completed series are not checked: they stay completed.
    """
    if sent_at is None:
        yield
        return
    work = lock_series_for_change(work)
    changed_at = automations.c[what]
    these = and_(automations.c.org_id == work.org_id, automations.c.key.in_(keys))
    later = select(automations.c.key, changed_at.label("changed_at")).where(
        these, automations.c.status != SeriesStatus.COMPLETED, changed_at > sent_at
    )
    found = work.connection.execute(later.order_by(automations.c.key)).first()
    if found is not None:
        raise overtaken(f"Series ‘{found.key}’", sent_at, found.changed_at)
    yield
    # Only what the body changed has a later instant: a trial run leaves no note.
    changed = update(automations).where(these, changed_at > sent_at)
    work.connection.execute(changed.values({what: sent_at}))

"""Operators' orders, by their sending time: an older one that arrives late is refused (contract
§2).

A series stores when the last change of its status, and of its definition, was ordered. That is the
order's sending time; without one, the instant at which it arrived.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, select, update

from halo_engine.domain.errors import Refusal, conflict
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.times.instants import format_instant
from halo_engine.series.locks import lock_series_for_change
from halo_engine.sql.statements import statement
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
    found = work.connection.execute(_find_later_orders(work, keys, what, sent_at)).first()
    if found is not None:
        raise overtaken(f"Series ‘{found.key}’", sent_at, found.changed_at)
    yield
    work.connection.execute(_note_order(work, keys, what, sent_at))


@statement("find_later_orders", what="status_ordered_at")
def _find_later_orders(
    work: Work, series_keys: Collection[str], what: Ordered, sent_at: datetime
) -> Select[Any]:
    changed_at = automations.c[what]
    return (
        select(automations.c.key, changed_at.label("changed_at"))
        .where(
            *_are_named(work, series_keys),
            automations.c.status != SeriesStatus.COMPLETED,
            changed_at > sent_at,
        )
        .order_by(automations.c.key)
    )


@statement("note_order", what="status_ordered_at")
def _note_order(
    work: Work, series_keys: Collection[str], what: Ordered, sent_at: datetime
) -> Update:
    # Only what the body changed has a later instant: a trial run leaves no note.
    changed = update(automations).where(
        *_are_named(work, series_keys), automations.c[what] > sent_at
    )
    return changed.values({what: sent_at})


def _are_named(work: Work, keys: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return automations.c.org_id == work.org_id, automations.c.key.in_(keys)

"""Signals and rows that failed and are parked: retried later, or set aside for a person.

Read by ``halo signals list``, ``halo rows list`` and ``halo status``.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    any_,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.answers.contact_facts import named
from halo_engine.answers.joins import refers
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import not_found
from halo_engine.domain.series.signals import SignalKind
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    signals,
)
from halo_engine.tables.enrollments import IS_ACTIVE
from halo_engine.work import Work

#: The most that one answer lists.
MOST_SHOWN: Final = 1_000


class Sort(StrEnum):
    """What can be parked."""

    SIGNALS = "signals"
    ROWS = "rows"


#: An id: a number from the sequence ``arrivals``.
_Id = Annotated[int, Field(ge=1, lt=2**63)]
#: The most ids in one call.
MOST_NAMED: Final = 10_000


class ListParked(Call):
    """Lists what is parked: all, or of one ``series``."""

    series: Identifier | None = None


class WhichParked(Call):
    """Selects by ``ids``, by ``series``, or ``all``: exactly one of the three."""

    ids: tuple[_Id, ...] = Field(default=(), strict=False, max_length=MOST_NAMED)
    series: Identifier | None = None
    all: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.ids) + (self.series is not None) + self.all != 1:
            raise ValueError("allowed is one of ids, series and all")
        return self


class ParkedSignal(Answer):
    """A signal that failed.

    ``retry_at`` is None if it is set aside. ``tries`` counts the failures in batches where others
    succeeded. ``series`` is the one that the signal is kept for, None if it concerns all. A wide
    signal has a ``contact`` only if it is about that one alone.
    """

    id: int
    kind: SignalKind
    contact: str | None
    series: str | None
    happened_at: Instant
    failed_at: Instant
    tries: int
    retry_at: Instant | None
    error: str


class ParkedRow(Answer):
    """A row that failed; its contact stays active at ``step``. ``due`` is when it fell due."""

    id: int
    series: str
    step: str
    contact: str
    due: Instant
    failed_at: Instant
    tries: int
    retry_at: Instant | None
    error: str


def parked_signals(
    work: Work,
    series: str | None = None,
    *narrowed: ColumnElement[bool],
    most: int = MOST_SHOWN,
) -> Sequence[ParkedSignal]:
    """Return parked signals in order of arrival: all, or those kept for one ``series``."""
    found = work.connection.execute(_read_parked_signals(work, series, narrowed, most))
    return [ParkedSignal.model_validate(dict(row)) for row in found.mappings()]


@statement("read_parked_signals")
def _read_parked_signals(
    work: Work, series_key: str | None, narrowed: Sequence[ColumnElement[bool]], limit: int
) -> Select[Any]:
    about = select(
        signals.c.kind,
        named(end_users).label("contact"),
        automations.c.key.label("series"),
        signals.c.happened_at,
    ).select_from(
        signals.outerjoin(automations, refers(signals, automations, automation_id="id")).outerjoin(
            end_users, refers(signals, end_users, end_user_id="id")
        )
    )
    return _parked(work, signals, about, series_key, narrowed).limit(limit)


def parked_rows(
    work: Work,
    series: str | None = None,
    *narrowed: ColumnElement[bool],
    most: int = MOST_SHOWN,
) -> Sequence[ParkedRow]:
    """Return parked rows in order of arrival: all, or those of one ``series``."""
    found = work.connection.execute(_read_parked_rows(work, series, narrowed, most))
    return [ParkedRow.model_validate(dict(row)) for row in found.mappings()]


@statement("read_parked_rows")
def _read_parked_rows(
    work: Work, series_key: str | None, narrowed: Sequence[ColumnElement[bool]], limit: int
) -> Select[Any]:
    rows, steps = automation_recipients, automation_steps
    about = (
        select(
            automations.c.key.label("series"),
            steps.c.key.label("step"),
            named(end_users).label("contact"),
            rows.c.was_due.label("due"),
        )
        .select_from(
            rows.join(automations, refers(rows, automations, automation_id="id"))
            .join(steps, refers(rows, steps, step_id="id"))
            .join(end_users, refers(rows, end_users, end_user_id="id"))
        )
        .where(IS_ACTIVE)
    )
    return _parked(work, rows, about, series_key, narrowed).limit(limit)


def are_parked(work: Work, table: Table, which: WhichParked) -> list[ColumnElement[bool]]:
    """Return the conditions that select what ``which`` asks for.

    Raises 404 for an id that is not parked, and for an unknown series.
    """
    if which.all:
        return [true()]
    if which.series is not None:
        return [table.c.automation_id == _series_id(work, which.series)]
    found = set(work.connection.scalars(_find_parked_among(work, table, which.ids)))
    for id_ in which.ids:
        if id_ not in found:
            raise not_found(f"parked {_SINGULAR[table.name]}", str(id_))
    return [_is_one_of(table, which.ids)]


@statement("find_parked_among", table=signals)
def _find_parked_among(work: Work, table: Table, row_ids: Collection[int]) -> Select[Any]:
    return select(table.c.id).where(*is_parked(work, table), _is_one_of(table, row_ids))


def _is_one_of(table: Table, ids: Collection[int]) -> ColumnElement[bool]:
    return table.c.id == any_(literal(list(ids), ARRAY(BigInteger())))


_SINGULAR: Final = {signals.name: "signal", automation_recipients.name: "row"}


def is_parked(work: Work, table: Table) -> list[ColumnElement[bool]]:
    """Return the conditions for a parked row of ``table``; a row that has ended is not parked."""
    active = [IS_ACTIVE] if table is automation_recipients else []
    return [table.c.org_id == work.org_id, table.c.parked_at.is_not(None), *active]


def list_parked_signals(work: Work, call: ListParked) -> list[ParkedSignal]:
    """Return the parked signals, of one series if it is named; 404 if that is unknown."""
    if call.series is not None:
        _series_id(work, call.series)
    return [*parked_signals(work, call.series)]


def list_parked_rows(work: Work, call: ListParked) -> list[ParkedRow]:
    """Return the parked rows, of one series if it is named; 404 if that is unknown."""
    if call.series is not None:
        _series_id(work, call.series)
    return [*parked_rows(work, call.series)]


def _series_id(work: Work, key: str) -> UUID:
    found: UUID | None = work.connection.scalar(_find_series_id(work, key))
    if found is None:
        raise not_found("series", key)
    return found


@statement("find_series_id")
def _find_series_id(work: Work, series_key: str) -> Select[Any]:
    return select(automations.c.id).where(
        automations.c.org_id == work.org_id, automations.c.key == series_key
    )


def _parked(
    work: Work,
    table: Table,
    about: Select[Any],
    series: str | None,
    narrowed: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    kept = [table.c[name] for name in ("id", "tries", "retry_at", "error")]
    failed_at = func.coalesce(table.c.failed_at, table.c.parked_at).label("failed_at")
    of_series = [automations.c.key == series] if series is not None else []
    return (
        about.add_columns(*kept, failed_at)
        .where(*is_parked(work, table), *of_series, *narrowed)
        .order_by(table.c.id)
    )

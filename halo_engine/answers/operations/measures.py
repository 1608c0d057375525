"""The metrics of an installation: numbers over all organisations together (contract §12).

No number is about one organisation: who watches the servers does not see the customers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    cast,
    exists,
    func,
    select,
)

from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.sql.statements import named, statement
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automations,
    enrollment_refusals,
    installation,
    messages,
    organizations,
    signals,
    webhook_deliveries,
    webhook_endpoints,
)
from halo_engine.tables.enrollments import IS_PENDING
from halo_engine.webhooks.claiming import IS_WAITING, oldest_due


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits now, with the age of the oldest in seconds; 0 where nothing waits.

    ``tick_age`` is how long ago the last tick came. ``pass_age`` is about the organisation whose
    last re-evaluation began first: how long ago that was. Both are None before the first one,
    ``pass_age`` also if no series needs one. What is parked failed and is tried again; what is set
    aside, a part of it, waits for a person. ``webhooks_age`` is that of what could be sent. Of
    webhook endpoints some fail, and some were switched off because they failed.
    """

    signals: int
    signals_age: float
    parked_signals: int
    signals_set_aside: int
    due_rows: int
    due_rows_age: float
    parked_rows: int
    rows_set_aside: int
    ticks: int
    tick_age: float | None
    passes: int
    pass_age: float | None
    is_mail_server_down: bool
    webhooks: int
    webhooks_age: float
    endpoints_failing: int
    endpoints_off: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals: ``exits`` by reason, ``refusals`` by code, ``mails`` by outcome; ``enrollments``
    includes those that have not ended.
    """

    enrollments: int
    exits: Mapping[str, int]
    refusals: Mapping[str, int]
    mails: Mapping[str, int]


def backlog(connection: Connection) -> Backlog:
    """Return what waits, in five statements that read little more than that."""
    since = connection.execute(_MEASURE_PULSE).one()
    of_signals = connection.execute(_MEASURE_SIGNALS).one()
    of_rows = connection.execute(_measure_due_rows(since.now)).one()
    parked_rows = connection.execute(_MEASURE_PARKED_ROWS).one()
    of_webhooks = connection.execute(_measure_webhooks(since.now)).one()
    return Backlog(
        signals=of_signals.number,
        signals_age=_age(since.now, of_signals.oldest) or 0.0,
        parked_signals=of_signals.parked,
        signals_set_aside=of_signals.aside,
        due_rows=of_rows.number,
        due_rows_age=_age(since.now, of_rows.oldest) or 0.0,
        parked_rows=parked_rows.parked,
        rows_set_aside=parked_rows.aside,
        ticks=since.ticks or 0,
        tick_age=_age(since.now, since.ticked_at),
        passes=since.passes or 0,
        pass_age=_age(since.now, since.passed_at),
        is_mail_server_down=bool(since.is_mail_server_down),
        webhooks=of_webhooks.waiting,
        webhooks_age=_age(since.now, of_webhooks.oldest) or 0.0,
        endpoints_failing=of_webhooks.failing,
        endpoints_off=of_webhooks.off,
    )


def totals(connection: Connection) -> Totals:
    """Return the totals, in three statements that read whole tables."""
    runs = _counted(connection, _COUNT_RUNS)
    return Totals(
        enrollments=sum(runs.values()),
        exits={reason: number for reason, number in runs.items() if reason is not None},
        refusals=_by_name(_counted(connection, _COUNT_REFUSALS)),
        mails=_by_name(_counted(connection, _COUNT_MAILS)),
    )


def _pulse() -> Select[Any]:
    reevaluates = exists().where(
        automations.c.org_id == organizations.c.id,
        automations.c.status == SeriesStatus.ACTIVE,
        automations.c.entry_trigger == EntryTrigger.SEGMENT_MATCH,
    )
    passed_at = select(func.min(organizations.c.reevaluated_at)).where(reevaluates)
    passes = select(cast(func.sum(organizations.c.passes), BigInteger))
    whole = select(
        func.max(installation.c.ticked_at).label("ticked_at"),
        func.max(installation.c.ticks).label("ticks"),
        func.bool_or(installation.c.mail_down_since.is_not(None)).label("is_mail_server_down"),
    ).subquery("whole")
    return select(
        func.clock_timestamp().label("now"),
        whole,
        passed_at.scalar_subquery().label("passed_at"),
        passes.scalar_subquery().label("passes"),
    )


def _signals() -> Select[int, Any, int, int]:
    waiting = signals.c.parked_at.is_(None)
    return select(
        func.count().filter(waiting).label("number"),
        func.min(signals.c.created_at).filter(waiting).label("oldest"),
        func.count().filter(~waiting).label("parked"),
        func.count().filter(~waiting, signals.c.retry_at.is_(None)).label("aside"),
    )


def _parked_rows() -> Select[int, int]:
    rows = automation_recipients
    return select(
        func.count().label("parked"), func.count().filter(rows.c.retry_at.is_(None)).label("aside")
    ).where(rows.c.parked_at.is_not(None))


@statement("measure_due_rows")
def _measure_due_rows(now: datetime) -> Select[int, Any]:
    rows, series = automation_recipients, automations
    in_series = and_(series.c.org_id == rows.c.org_id, series.c.id == rows.c.automation_id)
    return (
        select(func.count().label("number"), func.min(rows.c.scheduled_for).label("oldest"))
        .select_from(rows.join(series, in_series))
        .where(IS_PENDING, rows.c.scheduled_for <= now, series.c.status == SeriesStatus.ACTIVE)
    )


@statement("measure_webhooks")
def _measure_webhooks(now: datetime) -> Select[Any]:
    endpoint, rows = webhook_endpoints, webhook_deliveries
    waiting = select(func.count()).select_from(rows).where(IS_WAITING).scalar_subquery()
    is_on = endpoint.c.off_since.is_(None)
    return select(
        waiting.label("waiting"),
        oldest_due(now).label("oldest"),
        func.count().filter(is_on, endpoint.c.failing_since.is_not(None)).label("failing"),
        # Where an operator switched one off, nothing is wrong.
        func.count().filter(~is_on, endpoint.c.off_reason != "operator").label("off"),
    ).select_from(endpoint)


def _by(column: ColumnElement[Any]) -> Select[Any]:
    return select(column.label("kind"), func.count().label("number")).group_by(column)


_MEASURE_PULSE: Final = named("measure_pulse", _pulse())
_MEASURE_SIGNALS: Final = named("measure_signals", _signals())
_MEASURE_PARKED_ROWS: Final = named("measure_parked_rows", _parked_rows())
_COUNT_RUNS: Final = named("count_runs_by_exit", _by(automation_enrollments.c.exit_reason))
_COUNT_REFUSALS: Final = named("count_refusals_by_code", _by(enrollment_refusals.c.code))
_COUNT_MAILS: Final = named("count_mails_by_outcome", _by(messages.c.state))


def _counted(connection: Connection, counting: Select[Any]) -> dict[str | None, int]:
    return {row.kind: row.number for row in connection.execute(counting)}


def _by_name(counted: Mapping[str | None, int]) -> dict[str, int]:
    return {str(name): number for name, number in counted.items()}


def _age(now: datetime, since: datetime | None) -> float | None:
    return None if since is None else max((now - since).total_seconds(), 0.0)

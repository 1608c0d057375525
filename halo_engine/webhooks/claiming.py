"""Claim and lease an endpoint's due messages: of each contact only the earliest (§14).

A contact's next message waits until the one before it is done. Leases run on the database's clock;
a worker that finds one expired sends the message again, under the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)

from halo_engine.sql.statements import statement
from halo_engine.tables import organizations, webhook_deliveries, webhook_endpoints
from halo_engine.work import Work

#: How long a claim is leased: longer than a batch and its last answer take.
LEASE_SECONDS: Final = 60.0

#: A literal, since a bound state would hide the partial indexes from the planner.
IS_WAITING: Final = webhook_deliveries.c.state == literal_column("'waiting'")
_IS_FREE: Final = or_(
    webhook_deliveries.c.lease_expires_at.is_(None),
    webhook_deliveries.c.lease_expires_at < func.clock_timestamp(),
)


@dataclass(frozen=True, slots=True)
class DueEndpoint:
    """An endpoint at which something is due."""

    org_id: UUID
    id: UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """An endpoint as it was when deliveries were claimed; ``attempts`` made before, by event."""

    endpoint_id: UUID
    url: str
    with_traits: bool
    secrets: Sequence[str]
    failures: int
    failing_since: datetime | None
    token: UUID
    attempts: dict[int, int]


def due_endpoints(connection: Connection, now: datetime | None) -> list[DueEndpoint]:
    """Return the endpoints of all organisations at which something is due and may be sent.

    What was copied of an organisation that is on its way here is not due yet.
    """
    found = connection.execute(_find_due_endpoints(now))
    return [DueEndpoint(row.org_id, row.id) for row in found]


@statement("find_due_endpoints")
def _find_due_endpoints(now: datetime | None) -> Select[Any]:
    endpoint, rows = webhook_endpoints, webhook_deliveries
    at: Any = func.clock_timestamp() if now is None else now
    some = exists().where(
        rows.c.org_id == endpoint.c.org_id,
        rows.c.endpoint_id == endpoint.c.id,
        IS_WAITING,
        rows.c.due_at <= at,
        _IS_FREE,
    )
    is_here = exists().where(organizations.c.id == endpoint.c.org_id)
    return select(endpoint.c.org_id, endpoint.c.id).where(_may_be_called(at), some, is_here)


def oldest_due(now: datetime) -> ScalarSelect[Any]:
    """Return the instant since which the next message has been due that a worker may send.

    NULL if there is none: an endpoint that rests or is off sends nothing, and a message behind a
    contact's earlier one is not due yet.
    """
    endpoint, rows = webhook_endpoints, webhook_deliveries
    first = (
        select(rows.c.due_at)
        .where(
            rows.c.org_id == endpoint.c.org_id,
            rows.c.endpoint_id == endpoint.c.id,
            IS_WAITING,
            rows.c.due_at <= now,
            ~_waits_before(rows),
        )
        .order_by(rows.c.due_at)
        .limit(1)
        .correlate(endpoint)
        .lateral("first")
    )
    each = select(func.min(first.c.due_at)).select_from(endpoint.join(first, true()))
    return each.where(_may_be_called(now)).scalar_subquery()


def _may_be_called(now: Any) -> ColumnElement[bool]:
    endpoint = webhook_endpoints
    has_rested = or_(endpoint.c.resting_until.is_(None), endpoint.c.resting_until <= now)
    return and_(endpoint.c.off_since.is_(None), has_rested)


def claim(work: Work, endpoint_id: UUID, limit: int) -> Claim | None:
    """Claim an endpoint's due messages, at most ``limit``; None if there are none.

    An endpoint that failed last time is given one message.
    """
    endpoint = work.connection.execute(_read_endpoint(work, endpoint_id)).one_or_none()
    if endpoint is None:
        return None
    token = uuid4()
    most = 1 if endpoint.failures else limit
    claimed = work.connection.execute(_claim(work, endpoint_id, token, most))
    attempts = {row.event_id: row.attempts for row in claimed}
    if not attempts:
        return None
    until = endpoint.old_secret_until
    old = [endpoint.old_secret] if until is not None and until > work.now else []
    return Claim(
        endpoint_id=endpoint_id,
        url=endpoint.url,
        with_traits=endpoint.with_traits,
        secrets=[endpoint.secret, *old],
        failures=endpoint.failures,
        failing_since=endpoint.failing_since,
        token=token,
        attempts=dict(sorted(attempts.items())),
    )


@statement("read_endpoint_to_call")
def _read_endpoint(work: Work, endpoint_id: UUID) -> Select[Any]:
    table = webhook_endpoints
    is_it = (table.c.org_id == work.org_id, table.c.id == endpoint_id)
    return select(table).where(*is_it, _may_be_called(work.now))


@statement("claim_deliveries")
def _claim(work: Work, endpoint_id: UUID, lease_token: UUID, limit: int) -> Executable:
    rows = webhook_deliveries
    due = (
        select(rows.c.event_id)
        .where(
            rows.c.org_id == work.org_id,
            rows.c.endpoint_id == endpoint_id,
            IS_WAITING,
            rows.c.due_at <= work.now,
            _IS_FREE,
            ~_waits_before(rows),
        )
        .order_by(rows.c.due_at, rows.c.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(rows)
        .where(
            rows.c.org_id == work.org_id,
            rows.c.endpoint_id == endpoint_id,
            rows.c.event_id == due.c.event_id,
        )
        .values(
            lease_token=lease_token,
            lease_expires_at=func.clock_timestamp()
            + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS),
        )
        .returning(rows.c.event_id, rows.c.attempts)
    )


def _waits_before(rows: FromClause) -> ColumnElement[bool]:
    """Return whether something earlier of the same contact waits for the same endpoint."""
    earlier = webhook_deliveries.alias("earlier")
    return exists().where(
        earlier.c.org_id == rows.c.org_id,
        earlier.c.end_user_id == rows.c.end_user_id,
        earlier.c.endpoint_id == rows.c.endpoint_id,
        earlier.c.event_id < rows.c.event_id,
        earlier.c.state == literal_column("'waiting'"),
    )

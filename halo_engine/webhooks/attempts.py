"""What becomes of an attempt: delivered, tried again later, given up; and of its endpoint (§14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Integer, SmallInteger, Text, Update, update
from sqlalchemy.sql.functions import coalesce

from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import webhook_deliveries, webhook_endpoints
from halo_engine.webhooks.claiming import Claim
from halo_engine.webhooks.endpoints import change_row
from halo_engine.webhooks.posting import Reply
from halo_engine.work import Work

#: The pauses after the first, second, … attempt; after the last one a message is given up.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
#: How long an endpoint rests after the first, second, … batch that failed as a whole.
RESTS: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
)
#: An endpoint that failed for so long is switched off.
FAILING_FOR: Final = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: str
    attempts: int
    due_at: datetime | None
    reply: Reply | None


def record(work: Work, claimed: Claim, replies: Mapping[int, Reply]) -> None:
    """Record the replies to a batch; a message without a reply was not tried, and stays due.

    A message that another worker claimed meanwhile is left alone. So is an endpoint that was
    switched off, or whose URL changed: the reply is the old one's.
    """
    outcomes = {
        event: _outcome(work.now, attempts, replies.get(event))
        for event, attempts in claimed.attempts.items()
    }
    work.connection.execute(_record(work, claimed.endpoint_id, claimed.token, outcomes))
    if replies:
        values = _health(work.now, claimed, list(replies.values()))
        still = (webhook_endpoints.c.url == claimed.url, webhook_endpoints.c.off_since.is_(None))
        work.connection.execute(change_row(work, claimed.endpoint_id, values).where(*still))


def _outcome(now: datetime, attempts: int, reply: Reply | None) -> _Outcome:
    if reply is None:
        return _Outcome("waiting", attempts, None, None)
    attempts += 1
    if reply.is_success:
        return _Outcome("delivered", attempts, None, reply)
    if attempts > len(PAUSES) and not reply.is_gone:
        return _Outcome("given_up", attempts, None, reply)
    pause = PAUSES[min(attempts, len(PAUSES)) - 1]
    return _Outcome("waiting", attempts, now + pause, reply)


def _health(now: datetime, claimed: Claim, replies: list[Reply]) -> dict[str, Any]:
    """Return the changes of the endpoint after a batch."""
    failed = [reply for reply in replies if not reply.is_success]
    health: dict[str, Any] = {"problem": failed[-1].problem if failed else None}
    if len(failed) < len(replies):
        health |= {"delivered_at": now, "failing_since": None, "failures": 0, "resting_until": None}
    else:
        since = claimed.failing_since or now
        rest = RESTS[min(claimed.failures, len(RESTS) - 1)]
        health |= {
            "failing_since": since,
            "failures": claimed.failures + 1,
            "resting_until": now + rest,
        }
        if now - since >= FAILING_FOR:
            health |= {"off_since": now, "off_reason": "failing"}
    if any(reply.is_gone for reply in failed):
        health |= {"off_since": now, "off_reason": "gone"}
    return health


@statement("record_attempts", outcomes={3_001: _Outcome("delivered", 1, None, Reply(200))})
def _record(
    work: Work, endpoint_id: UUID, lease_token: UUID, outcomes: Mapping[int, _Outcome]
) -> Update:
    rows = webhook_deliveries
    each = outcomes.values()
    given = rows_of(
        "given",
        {
            "event_id": (BigInteger(), list(outcomes)),
            "state": (Text(), [one.state for one in each]),
            "attempts": (SmallInteger(), [one.attempts for one in each]),
            "due_at": (DateTime(timezone=True), [one.due_at for one in each]),
            "tried_at": (DateTime(timezone=True), [one.reply and work.now for one in each]),
            "status": (Integer(), [one.reply and one.reply.status for one in each]),
            "problem": (Text(), [one.reply and one.reply.problem for one in each]),
        },
    )
    return (
        update(rows)
        .where(
            rows.c.org_id == work.org_id,
            rows.c.endpoint_id == endpoint_id,
            rows.c.event_id == given.c.event_id,
            rows.c.lease_token == lease_token,
        )
        .values(
            state=given.c.state,
            attempts=given.c.attempts,
            due_at=coalesce(given.c.due_at, rows.c.due_at),
            tried_at=coalesce(given.c.tried_at, rows.c.tried_at),
            status=given.c.status,
            problem=given.c.problem,
            lease_token=None,
            lease_expires_at=None,
        )
    )

"""Send again what happened since an instant, and send a test (contract §14)."""

from typing import Any
from uuid import UUID

from sqlalchemy import Executable, and_, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from halo_engine.domain.answer import Answer
from halo_engine.domain.series.happenings import TEST
from halo_engine.domain.times.instants import parse_instant
from halo_engine.happenings import is_asked_for
from halo_engine.sql.statements import statement
from halo_engine.tables import webhook_deliveries, webhook_endpoints, webhook_events
from halo_engine.webhooks.endpoint_calls import EndpointCall
from halo_engine.webhooks.endpoints import change_row, find_endpoint
from halo_engine.webhooks.messages import webhook_id
from halo_engine.work import Work


class ReplayCall(EndpointCall):
    """An endpoint, and since when: an ISO date or time, in the organisation's time zone."""

    since: str


class Replayed(Answer):
    """How many messages of an endpoint are due again."""

    id: UUID
    messages: int


class Tested(Answer):
    """The test message that was put in line: its ``webhook_id``."""

    id: UUID
    webhook_id: str


def replay(work: Work, call: ReplayCall) -> Replayed:
    """Send an endpoint everything again that happened since then and passes its filter.

    Messages keep their ids, and each contact's their order. Raises 404 for an unknown endpoint.
    """
    found = find_endpoint(work, call.endpoint)
    since = parse_instant(call.since, work.org.zone, "since")
    due: int = work.connection.execute(_replay(work, call.endpoint, since)).scalar_one()
    rested = {"failures": 0, "resting_until": None}
    work.connection.execute(change_row(work, call.endpoint, rested))
    return Replayed(id=found.id, messages=due)


@statement("replay_events")
def _replay(work: Work, endpoint_id: UUID, since: Any) -> Executable:
    events, endpoint, rows = webhook_events, webhook_endpoints, webhook_deliveries
    again = (
        select(
            events.c.org_id,
            endpoint.c.id,
            events.c.id,
            events.c.end_user_id,
            literal(work.now, rows.c.due_at.type),
        )
        .select_from(
            events.join(endpoint, and_(endpoint.c.org_id == events.c.org_id, is_asked_for(events)))
        )
        .where(
            events.c.org_id == work.org_id,
            endpoint.c.id == endpoint_id,
            events.c.at >= since,
            events.c.kind != TEST,
        )
        .order_by(events.c.id)
    )
    names = ["org_id", "endpoint_id", "event_id", "end_user_id", "due_at"]
    new = upsert(rows).from_select(names, again, include_defaults=False)
    again_due = new.on_conflict_do_update(
        index_elements=[rows.c.org_id, rows.c.endpoint_id, rows.c.event_id],
        set_={"state": "waiting", "attempts": 0, "due_at": new.excluded.due_at},
        # It is leased: a worker is sending it now.
        where=rows.c.lease_token.is_(None),
    )
    replayed = again_due.returning(rows.c.event_id).cte("replayed")
    return select(func.count()).select_from(replayed)


def send_test(work: Work, call: EndpointCall) -> Tested:
    """Put a test message in line for an endpoint; raises 404 for an unknown one."""
    found = find_endpoint(work, call.endpoint)
    event_id: int = work.connection.execute(_send_test(work, found.id)).scalar_one()
    return Tested(id=found.id, webhook_id=webhook_id(work.org_id, event_id))


@statement("send_webhook_test")
def _send_test(work: Work, endpoint_id: UUID) -> Executable:
    events, rows = webhook_events, webhook_deliveries
    event = (
        insert(events)
        .values(org_id=work.org_id, kind=TEST, at=work.now)
        .returning(events.c.org_id, events.c.id)
        .cte("event")
    )
    delivery = (
        insert(rows)
        .from_select(
            ["org_id", "endpoint_id", "event_id", "due_at"],
            select(
                event.c.org_id,
                literal(endpoint_id, rows.c.endpoint_id.type),
                event.c.id,
                literal(work.now, rows.c.due_at.type),
            ),
            include_defaults=False,
        )
        .cte("delivery")
    )
    return select(event.c.id).add_cte(delivery)

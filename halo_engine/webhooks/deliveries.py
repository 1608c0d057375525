"""The deliveries of an endpoint: sent, given up, or waiting (contract §14)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, and_, select

from halo_engine.domain.answer import PAGE, Answer, PageLimit
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, webhook_deliveries, webhook_events
from halo_engine.webhooks.endpoint_calls import EndpointCall
from halo_engine.webhooks.endpoints import find_endpoint
from halo_engine.webhooks.messages import webhook_id
from halo_engine.work import Work

State = Literal["waiting", "delivered", "given_up"]


class ListDeliveriesCall(EndpointCall):
    """Which deliveries of an endpoint: those in ``state``, ``limit`` of them, before ``after``."""

    state: State | None = None
    after: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    limit: PageLimit = PAGE


class DeliveryAnswer(Answer):
    """A message to an endpoint: about the ``contact`` of that id, in the series of that key.

    ``due_at`` is when it is tried next, while it waits; ``tried_at`` when it was tried last, with
    the ``status`` that was answered, or the ``problem``.
    """

    webhook_id: str
    type: str
    at: Instant
    contact: UUID | None
    series: str | None
    state: State
    attempts: int
    due_at: Instant | None
    tried_at: Instant | None
    status: int | None
    problem: str | None


class DeliveryPage(Answer):
    """A page of deliveries, newest first; ``next`` is the ``after`` of the page that follows."""

    items: tuple[DeliveryAnswer, ...]
    next: int | None


def list_deliveries(work: Work, call: ListDeliveriesCall) -> DeliveryPage:
    """Return a page of an endpoint's deliveries; raises 404 for an unknown endpoint."""
    find_endpoint(work, call.endpoint)
    rows = work.connection.execute(_page_deliveries(work, call, call.limit + 1)).mappings().all()
    page = rows[: call.limit]
    items = [
        DeliveryAnswer.model_validate(
            {
                **row,
                "due_at": row["due_at"] if row["state"] == "waiting" else None,
                "webhook_id": webhook_id(work.org_id, row["event_id"]),
            }
        )
        for row in page
    ]
    more = len(rows) > call.limit
    return DeliveryPage(items=tuple(items), next=page[-1]["event_id"] if more else None)


@statement("page_deliveries", call=ListDeliveriesCall(endpoint=UUID(int=1)))
def _page_deliveries(work: Work, call: ListDeliveriesCall, limit: int) -> Select[Any]:
    rows, event, series = webhook_deliveries, webhook_events, automations
    of_event = and_(event.c.org_id == rows.c.org_id, event.c.id == rows.c.event_id)
    of_series = and_(series.c.org_id == event.c.org_id, series.c.id == event.c.automation_id)
    found = (
        select(
            rows.c.event_id,
            event.c.kind.label("type"),
            event.c.at,
            event.c.end_user_id.label("contact"),
            series.c.key.label("series"),
            rows.c.state,
            rows.c.attempts,
            rows.c.due_at,
            rows.c.tried_at,
            rows.c.status,
            rows.c.problem,
        )
        .select_from(rows.join(event, of_event).outerjoin(series, of_series))
        .where(rows.c.org_id == work.org_id, rows.c.endpoint_id == call.endpoint)
    )
    if call.state is not None:
        found = found.where(rows.c.state == call.state)
    if call.after is not None:
        found = found.where(rows.c.event_id < call.after)
    return found.order_by(rows.c.event_id.desc()).limit(limit)

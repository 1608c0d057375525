"""Which endpoints need a person: those that fail, or were switched off (contract §14)."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.times.instants import Instant, format_instant
from halo_engine.sql.statements import statement
from halo_engine.tables import webhook_deliveries, webhook_endpoints
from halo_engine.webhooks.claiming import IS_WAITING
from halo_engine.work import Work


class EndpointTrouble(Answer):
    """An endpoint that fails or is off: its host, since the URL may be secret, and what waits."""

    endpoint: UUID
    host: str
    waiting: int
    failing_since: Instant | None
    off_since: Instant | None
    off_reason: Literal["gone", "failing", "operator"] | None


def endpoint_troubles(work: Work) -> Sequence[EndpointTrouble]:
    """Return the endpoints that fail or are off."""
    if not work.org.webhook_kinds:
        return ()
    found = work.connection.execute(_read_troubles(work))
    return [
        EndpointTrouble(
            endpoint=row.id,
            host=urlsplit(row.url).hostname or "",
            waiting=row.waiting,
            failing_since=row.failing_since,
            off_since=row.off_since,
            off_reason=row.off_reason,
        )
        for row in found
    ]


def endpoint_needs(troubles: Sequence[EndpointTrouble]) -> Iterator[str]:
    """Yield what needs a person; an endpoint that an operator switched off needs nobody."""
    for each in troubles:
        named = f"the webhook endpoint {each.endpoint} ({each.host})"
        if each.off_since is not None and each.off_reason != "operator":
            since = format_instant(each.off_since)
            yield f"{named} is switched off ({each.off_reason}) since {since}: {each.waiting} wait"
        elif each.failing_since is not None and each.off_since is None:
            since = format_instant(each.failing_since)
            yield f"{named} fails since {since}: {each.waiting} wait"


@statement("read_endpoint_troubles")
def _read_troubles(work: Work) -> Select[Any]:
    endpoint, rows = webhook_endpoints, webhook_deliveries
    waits = and_(rows.c.org_id == endpoint.c.org_id, rows.c.endpoint_id == endpoint.c.id)
    waiting = select(func.count()).where(waits, IS_WAITING).scalar_subquery()
    has_trouble = or_(endpoint.c.off_since.is_not(None), endpoint.c.failing_since.is_not(None))
    return (
        select(
            endpoint.c.id,
            endpoint.c.url,
            endpoint.c.failing_since,
            endpoint.c.off_since,
            endpoint.c.off_reason,
            waiting.label("waiting"),
        )
        .where(endpoint.c.org_id == work.org_id, has_trouble)
        .order_by(endpoint.c.id)
    )

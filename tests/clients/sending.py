"""What tests of other products' clients send, and what they find afterwards (contract §13)."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, select

from halo_engine.tables import companies, end_users, events
from halo_engine.work import OrgRef
from tests.web.conftest import Answer, Web

#: What clients add to every message.
CONTEXT = {"library": {"name": "analytics-test", "version": "1"}}


def basic(name: str, password: str = "") -> str:
    """Return the header of Basic."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def send(web: Web, path: str, key: str | None, body: object, **headers: str) -> Answer:
    """Post a body as Segment's clients do."""
    proof = {} if key is None else {"Authorization": basic(key)}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web.ask("POST", path, sent, **{"Content_Type": "application/json", **proof, **headers})


def batch(web: Web, org: OrgRef, *messages: Mapping[str, Any], **beside: Any) -> Any:
    """Send messages as a batch of the organisation's; return the answer."""
    answer = send(web, "/v1/batch", str(org.widget_key), {"batch": messages, **beside})
    assert answer.status == 200, answer.body
    return answer.json()


def rows(web: Web, org: OrgRef, table: Table, *names: str) -> list[tuple[Any, ...]]:
    """Return columns of the organisation's rows, in order of these columns."""
    columns = [table.c[name] for name in names]
    asked = select(*columns).where(table.c.org_id == org.id).order_by(*columns)
    with web.database.connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def people(web: Web, org: OrgRef) -> list[tuple[Any, ...]]:
    """Return the users: ID, email and custom fields."""
    asked = select(end_users.c.external_id, end_users.c.email, end_users.c.custom_fields)
    with web.database.connect() as connection:
        found = connection.execute(
            asked.where(end_users.c.org_id == org.id).order_by(end_users.c.external_id)
        )
        return [tuple(row) for row in found]


def happened(web: Web, org: OrgRef) -> list[tuple[Any, ...]]:
    """Return the events in order of arrival: name, whose, and session."""
    asked = (
        select(events.c.name, end_users.c.external_id, events.c.session_id)
        .select_from(events.outerjoin(end_users, end_users.c.id == events.c.end_user_id))
        .where(events.c.org_id == org.id)
        .order_by(events.c.id)
    )
    with web.database.connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]


def members(web: Web, org: OrgRef) -> list[tuple[Any, ...]]:
    """Return the companies with their members: company, its name and custom fields, and user."""
    asked = (
        select(
            companies.c.external_id,
            companies.c.name,
            companies.c.custom_fields,
            end_users.c.external_id,
        )
        .select_from(companies.outerjoin(end_users, end_users.c.company_id == companies.c.id))
        .where(companies.c.org_id == org.id)
        .order_by(companies.c.external_id, end_users.c.external_id)
    )
    with web.database.connect() as connection:
        return [tuple(row) for row in connection.execute(asked)]

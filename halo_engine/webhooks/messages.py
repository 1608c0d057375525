"""What a message says: its id, and its body, made from the event when it is sent (contract §14).

An event keeps ids alone, so the body tells of contact and series as they are now, and of nobody
who was erased.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Select, and_, select

from halo_engine.contacts.traits import shown_traits
from halo_engine.domain.errors import printable
from halo_engine.domain.times.instants import format_instant
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_steps,
    automations,
    end_users,
    messages,
    webhook_events,
)
from halo_engine.webhooks.posting import WebhookMessage
from halo_engine.work import Work

#: A body with traits is no longer than this, in bytes: what is too long goes without them.
LONGEST_BODY: Final = 20_000
_LONGEST_REASON: Final = 1_000


def webhook_id(org_id: UUID, event_id: int) -> str:
    """Return the id of an event's message: the same at every attempt, for every endpoint."""
    return f"msg_{uuid5(org_id, f'webhook:{event_id}').hex}"


@dataclass(frozen=True, slots=True)
class Content:
    """An event with the content of its body; ``traits`` has the contact's email and traits."""

    event_id: int
    kind: str
    at: str
    data: Mapping[str, Any]
    traits: Mapping[str, Any]


def gather(work: Work, event_ids: Sequence[int]) -> Mapping[int, Content]:
    """Return the contents of events, by id; one that was erased meanwhile is left out."""
    found = work.connection.execute(_read_contents(work, event_ids)).mappings()
    return {row["event_id"]: _content(dict(row)) for row in found}


def written(org_id: UUID, content: Content, *, with_traits: bool) -> WebhookMessage:
    """Return the message; if traits make it too long, they are left out, and it says so."""
    body = _body(content, content.traits if with_traits else {})
    if len(body.encode()) > LONGEST_BODY:
        body = _body(content, {"traits_left_out": True})
    return WebhookMessage(webhook_id(org_id, content.event_id), body)


def _body(content: Content, about: Mapping[str, Any]) -> str:
    data = dict(content.data)
    if about and "contact" in data:
        data["contact"] = {**data["contact"], **about}
    told = {"type": content.kind, "timestamp": content.at, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _content(row: Mapping[str, Any]) -> Content:
    at = format_instant(row["at"])
    if row["contact"] is None:
        return Content(row["event_id"], row["kind"], at, {}, {})
    reason = row["reason"]
    data = {
        "contact": _named(row),
        "series": row["series"],
        "enrollment": row["enrollment_number"],
        "step": row["step"],
        "message_id": row["message_id"],
        "reason": None if reason is None else printable(reason, _LONGEST_REASON),
    }
    traits = {"email": row["email"], "traits": shown_traits(row)}
    told = {name: value for name, value in data.items() if value is not None}
    return Content(row["event_id"], row["kind"], at, told, traits)


def _named(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name a contact as everywhere: by its external ID, or by its email where it has none (§12)."""
    is_user = row["external_id"] is not None
    name = {"user_id": row["external_id"]} if is_user else {"email": row["email"]}
    return {"id": str(row["contact"]), **name}


@statement("read_webhook_contents")
def _read_contents(work: Work, event_ids: Sequence[int]) -> Select[Any]:
    event, contact, series, step, mail = (
        webhook_events,
        end_users,
        automations,
        automation_steps,
        messages,
    )
    of_contact = and_(contact.c.org_id == event.c.org_id, contact.c.id == event.c.end_user_id)
    of_series = and_(series.c.org_id == event.c.org_id, series.c.id == event.c.automation_id)
    of_step = and_(step.c.org_id == event.c.org_id, step.c.id == event.c.step_id)
    of_mail = and_(mail.c.org_id == event.c.org_id, mail.c.recipient_id == event.c.recipient_id)
    told = [column for column in contact.c if column.name not in event.c]
    return (
        select(
            event.c.id.label("event_id"),
            event.c.kind,
            event.c.at,
            event.c.enrollment_number,
            event.c.reason,
            contact.c.id.label("contact"),
            *told,
            series.c.key.label("series"),
            step.c.key.label("step"),
            mail.c.message_id,
        )
        .select_from(
            event.outerjoin(contact, of_contact)
            .outerjoin(series, of_series)
            .outerjoin(step, of_step)
            .outerjoin(mail, of_mail)
        )
        .where(event.c.org_id == work.org_id, event.c.id.in_(event_ids))
    )

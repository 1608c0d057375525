"""What explain reads of a contact: its code, and what the explanation refers to (contract §10)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Text, cast, func, literal, select

from halo_engine.answers.codes import coded
from halo_engine.answers.joins import has_values
from halo_engine.domain.series import Series
from halo_engine.tables import (
    automation_enrollments,
    end_users,
    event_counts,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is known of one contact and one series.

    ``guard`` is the first guard that refuses now, ``refused_at`` the instant of a kept refusal.
    ``latest_*`` and ``ended_*`` are about the latest enrollment, ``holder*`` about the run that
    holds the company's seat, ``event_*`` about the event that the series waits for.
    """

    contact_id: UUID
    contact: str
    contact_type: str
    created_at: datetime
    code: str
    guard: str | None
    refused_at: datetime | None
    latest_number: int | None
    latest_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    bounced_at: datetime | None
    complained_at: datetime | None
    unsubscribed_at: datetime | None
    holder: str | None
    holder_at: datetime | None
    event_count: int | None
    event_at: datetime | None
    list_key: str | None


def gather_contact_facts(
    work: Work, series: Series, contacts: Collection[UUID]
) -> Mapping[UUID, ContactFacts]:
    """Return the facts of those ``contacts`` that exist, in one statement."""
    found, org_id = coded(work, series, contacts), work.org_id
    contact, holder = end_users, end_users.alias("holder")
    run, holding = (automation_enrollments.alias(name) for name in ("run", "holding"))
    event, suppression, list_ = event_counts, suppressions, subscriptions
    both = {"end_user_id": found.c.end_user_id, "automation_id": found.c.automation_id}
    seat = {"automation_id": found.c.automation_id, "company_seat": found.c.seat, "ended_at": None}
    event_name = literal(series.settings.entry_event_name, Text())
    is_event = has_values(event, org_id, end_user_id=found.c.end_user_id, name=event_name)
    is_latest = has_values(run, org_id, **both, number=found.c.latest_number)
    source = (
        found.join(contact, has_values(contact, org_id, id=found.c.end_user_id))
        .outerjoin(run, is_latest)
        .outerjoin(suppression, has_values(suppression, org_id, address=contact.c.address))
        .outerjoin(holding, has_values(holding, org_id, **seat))
        .outerjoin(holder, has_values(holder, org_id, id=holding.c.end_user_id))
        .outerjoin(event, is_event)
        .outerjoin(list_, has_values(list_, org_id, id=series.subscription_id))
    )
    statement = select(
        found.c.end_user_id.label("contact_id"),
        named(contact).label("contact"),
        found.c.contact_type,
        found.c.contact_created_at.label("created_at"),
        found.c.code,
        found.c.guard,
        found.c.refused_at,
        found.c.latest_number,
        found.c.latest_at,
        run.c.ended_at,
        run.c.exit_reason.label("ended_by"),
        suppression.c.bounced_at,
        suppression.c.complained_at,
        suppression.c.unsubscribed_at,
        named(holder).label("holder"),
        holding.c.created_at.label("holder_at"),
        event.c.count.label("event_count"),
        event.c.last_at.label("event_at"),
        list_.c.key.label("list_key"),
    ).select_from(source)
    rows = work.connection.execute(statement).mappings()
    return {row["contact_id"]: ContactFacts(**row) for row in rows}


def named(contact: FromClause) -> ColumnElement[str]:
    """Return the name that people use: external ID, else email, else id."""
    return func.coalesce(contact.c.external_id, contact.c.email, cast(contact.c.id, Text()))

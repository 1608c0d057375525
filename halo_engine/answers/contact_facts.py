"""Gather what explain needs of a contact: its code, and the facts behind it (contract §10)."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Text, cast, func, literal, select, true

from halo_engine.answers.codes import coded
from halo_engine.answers.joins import has_values
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ContactFacts
from halo_engine.enrollment.namesakes import namesake_of
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    end_users,
    event_counts,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work


def gather_contact_facts(
    work: Work, series: Series, contacts: Collection[UUID]
) -> Mapping[UUID, ContactFacts]:
    """Return the facts of those ``contacts`` that exist, in one statement."""
    rows = work.connection.execute(_facts_of(work, series, contacts)).mappings()
    return {row["contact_id"]: ContactFacts(**row) for row in rows}


@statement("gather_contact_facts")
def _facts_of(work: Work, series: Series, contacts: Collection[UUID]) -> Select[Any]:
    found, org_id = coded(work, series, contacts), work.org_id
    contact, holder = end_users, end_users.alias("holder")
    run, holding = (automation_enrollments.alias(name) for name in ("run", "holding"))
    event, suppression, list_ = event_counts, suppressions, subscriptions
    namesake = namesake_of(org_id, found, found.c.held_address, ever=False)
    sharing = end_users.alias("sharing")
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
        .outerjoin(namesake, true())
        .outerjoin(sharing, has_values(sharing, org_id, id=namesake.c.end_user_id))
        .outerjoin(event, is_event)
        .outerjoin(list_, has_values(list_, org_id, id=series.subscription_id))
    )
    return select(
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
        named(sharing).label("namesake"),
        namesake.c.created_at.label("namesake_at"),
        event.c.count.label("event_count"),
        event.c.last_at.label("event_at"),
        list_.c.key.label("list_key"),
        found.c.held_at,
        (contact.c.email != "").is_(True).label("has_email"),
        found.c.fired_at,
        found.c.waits_until,
    ).select_from(source)


def named(contact: FromClause) -> ColumnElement[str]:
    """Return the name that people use: external ID, else email, else id."""
    return func.coalesce(contact.c.external_id, contact.c.email, cast(contact.c.id, Text()))

"""Everything about one contact, for a person: values, lists, events, series (§1, §2).

``days_since_signup`` and ``customer_for`` prefer ``signed_up_at``, else ``created_at`` (§2).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Select, and_, func, select

from halo_engine.answers.bounce_counts import bounces_of
from halo_engine.answers.joins import refers
from halo_engine.answers.reports.failures import FailedMail, failures_of
from halo_engine.contacts.consent.subscriptions import CONFIRMED_WITHIN
from halo_engine.contacts.traits import shown_traits
from halo_engine.domain.answer import Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.errors import not_found
from halo_engine.domain.reasons import ContactType
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automation_steps,
    automations,
    companies,
    end_users,
    event_counts,
    messages,
    pending_members,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.tables.enrollments import IS_ACTIVE
from halo_engine.work import Work

#: Why an address gets no mail, the most serious reason first; each has a column ``…_at``.
_CAUSES: Final = ("bounced", "complained", "unsubscribed")


class Membership(Answer):
    """A contact's latest enrollment in one series; ``step`` is set if it is active."""

    series: str
    number: int
    enrolled_at: Instant
    ended_at: Instant | None
    exit_reason: str | None
    step: str | None
    scheduled_for: Instant | None


class FiredEvent(Answer):
    """How often an event fired for the contact, and when it fired last."""

    event: str
    count: int
    last_at: Instant


class Profile(Answer):
    """One contact; ``traits`` are the recognised and custom ones that have a value.

    ``suppressed`` says why the address gets no mail: ``bounced``, ``complained``, ``unsubscribed``
    or None. ``pending_lists`` are those that it has yet to confirm. ``bounces`` counts returned
    mails by reason; ``failed_mails`` are the latest that it did not get.
    """

    id: UUID
    user_id: str | None
    contact_type: ContactType
    source: str
    email: str | None
    company: str | None
    traits: Mapping[str, JsonValue]
    context: Mapping[str, JsonValue]
    created_at: Instant
    first_seen: Instant
    last_seen: Instant
    last_contacted_at: Instant | None
    days_since_signup: int
    customer_for: str
    lists: tuple[str, ...]
    pending_lists: tuple[str, ...]
    suppressed: str | None
    bounces: Mapping[BounceReason, int]
    series: tuple[Membership, ...]
    events: tuple[FiredEvent, ...]
    failed_mails: tuple[FailedMail, ...]


def profile(work: Work, contact_id: UUID) -> Profile:
    """Return everything about a contact; raises 404 if there is none of that id."""
    row = work.connection.execute(_read_profile(work, contact_id)).mappings().one_or_none()
    if row is None:
        raise not_found("contact", str(contact_id))
    since = work.now - (row["signed_up_at"] or row["created_at"])
    return Profile(
        id=row["id"],
        user_id=row["external_id"],
        contact_type=row["contact_type"],
        source=row["source"],
        email=row["email"],
        company=row["company"],
        traits=shown_traits(dict(row)),
        context=row["context"],
        created_at=row["created_at"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        last_contacted_at=row["last_contacted_at"],
        days_since_signup=max(since.days, 0),
        customer_for=in_words(since),
        lists=tuple(_lists(work, contact_id)),
        pending_lists=tuple(_pending_lists(work, contact_id)),
        suppressed=next((cause for cause in _CAUSES if row[f"{cause}_at"] is not None), None),
        bounces=bounces_of(work, messages.c.end_user_id == contact_id),
        series=tuple(_memberships(work, contact_id)),
        events=tuple(_events(work, contact_id)),
        failed_mails=tuple(failures_of(work, [contact_id]).get(contact_id, ())),
    )


@statement("read_profile")
def _read_profile(work: Work, contact_id: UUID) -> Select[Any]:
    contact, company = end_users, companies
    return (
        select(
            contact,
            company.c.external_id.label("company"),
            *[suppressions.c[f"{cause}_at"] for cause in _CAUSES],
        )
        .select_from(
            contact.outerjoin(company, refers(company, contact, id="company_id")).outerjoin(
                suppressions, refers(suppressions, contact, address="address")
            )
        )
        .where(contact.c.org_id == work.org_id, contact.c.id == contact_id)
    )


def in_words(duration: timedelta) -> str:
    """Return the days of ``duration`` as ``customer_for`` words them (contract §2)."""
    match duration.days:
        case 1:
            return "1 day"
        case days if days > 1:
            return f"{days} days"
    return "less than a day"


def _lists(work: Work, contact_id: UUID) -> list[str]:
    return list(work.connection.scalars(_read_lists_of_contact(work, contact_id)))


@statement("read_lists_of_contact")
def _read_lists_of_contact(work: Work, contact_id: UUID) -> Select[Any]:
    members, lists = subscription_members, subscriptions
    return (
        select(lists.c.key)
        .select_from(members.join(lists, refers(lists, members, id="subscription_id")))
        .where(members.c.org_id == work.org_id, members.c.end_user_id == contact_id)
        .order_by(lists.c.key)
    )


def _pending_lists(work: Work, contact_id: UUID) -> list[str]:
    if not work.org.asks_to_confirm:
        return []
    return list(work.connection.scalars(_read_pending_lists_of_contact(work, contact_id)))


@statement("read_pending_lists_of_contact")
def _read_pending_lists_of_contact(work: Work, contact_id: UUID) -> Select[Any]:
    pending, lists = pending_members, subscriptions
    return (
        select(lists.c.key)
        .select_from(pending.join(lists, refers(lists, pending, id="subscription_id")))
        .where(
            pending.c.org_id == work.org_id,
            pending.c.end_user_id == contact_id,
            pending.c.asked_at > work.now - CONFIRMED_WITHIN,
        )
        .order_by(lists.c.key)
    )


def _memberships(work: Work, contact_id: UUID) -> list[Membership]:
    found = work.connection.execute(_read_memberships(work, contact_id)).mappings()
    return [Membership.model_validate(dict(row)) for row in found]


@statement("read_memberships")
def _read_memberships(work: Work, contact_id: UUID) -> Select[Any]:
    runs, rows, series, steps = (
        automation_enrollments,
        automation_recipients,
        automations,
        automation_steps,
    )
    stands_at = and_(
        refers(
            rows,
            runs,
            end_user_id="end_user_id",
            automation_id="automation_id",
            enrollment_number="number",
        ),
        IS_ACTIVE,
    )
    latest = (
        select(
            series.c.key.label("series"),
            runs.c.number,
            runs.c.created_at.label("enrolled_at"),
            runs.c.ended_at,
            runs.c.exit_reason,
            steps.c.key.label("step"),
            rows.c.scheduled_for,
            func.row_number()
            .over(partition_by=runs.c.automation_id, order_by=runs.c.number.desc())
            .label("rank"),
        )
        .select_from(
            runs.join(series, refers(series, runs, id="automation_id"))
            .outerjoin(rows, stands_at)
            .outerjoin(steps, refers(steps, rows, id="step_id"))
        )
        .where(runs.c.org_id == work.org_id, runs.c.end_user_id == contact_id)
        .subquery("latest")
    )
    return (
        select(*[latest.c[name] for name in Membership.model_fields])
        .where(latest.c.rank == 1)
        .order_by(latest.c.series)
    )


def _events(work: Work, contact_id: UUID) -> list[FiredEvent]:
    found = work.connection.execute(_read_events_of_contact(work, contact_id)).mappings()
    return [FiredEvent.model_validate(dict(row)) for row in found]


@statement("read_events_of_contact")
def _read_events_of_contact(work: Work, contact_id: UUID) -> Select[Any]:
    counts = event_counts
    return (
        select(counts.c.name.label("event"), counts.c.count, counts.c.last_at)
        .where(counts.c.org_id == work.org_id, counts.c.end_user_id == contact_id)
        .order_by(counts.c.name)
    )

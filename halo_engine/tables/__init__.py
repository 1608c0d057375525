"""Every table of the engine, as SQLAlchemy Core: one module per aggregate, one ``metadata`` for
all.
"""

from typing import Final

from halo_engine.sql.metadata import metadata
from halo_engine.tables.clients import anonymous_traits, taken_messages, waiting_calls
from halo_engine.tables.contacts import audience_field_counts, audience_fields, companies, end_users
from halo_engine.tables.enrollments import (
    automation_enrollments,
    automation_recipients,
    cleared_recipients,
    enrollment_refusals,
)
from halo_engine.tables.events import contact_sessions, event_counts, events
from halo_engine.tables.idempotency import hook_deliveries, idempotency_keys
from halo_engine.tables.imports import csv_chunks, csv_imports, csv_uploads
from halo_engine.tables.installation import (
    cell_organizations,
    cells,
    installation,
    moved_rows,
    moves,
)
from halo_engine.tables.lists import (
    confirmations,
    erased_suppressions,
    former_members,
    pending_members,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.tables.messages import (
    bounce_reports,
    cleared_mails,
    followed_links,
    former_mails,
    mail_readers,
    messages,
    sent_before,
)
from halo_engine.tables.operators import (
    audit_log,
    operator_keys,
    operator_sessions,
    sign_in_links,
)
from halo_engine.tables.organizations import histories, organizations
from halo_engine.tables.series import (
    automation_active_periods,
    automation_steps,
    automation_versions,
    automations,
    discarded_entries,
    held_entries,
    released_entries,
    surge_entries,
)
from halo_engine.tables.signals import pass_notes, signals, waiting_entries
from halo_engine.tables.stripe import stripe_passed_over
from halo_engine.tables.webhooks import webhook_deliveries, webhook_endpoints, webhook_events

__all__ = [
    "OWNED",
    "anonymous_traits",
    "audience_field_counts",
    "audience_fields",
    "audit_log",
    "automation_active_periods",
    "automation_enrollments",
    "automation_recipients",
    "automation_steps",
    "automation_versions",
    "automations",
    "bounce_reports",
    "cell_organizations",
    "cells",
    "cleared_mails",
    "cleared_recipients",
    "companies",
    "confirmations",
    "contact_sessions",
    "csv_chunks",
    "csv_imports",
    "csv_uploads",
    "discarded_entries",
    "end_users",
    "enrollment_refusals",
    "erased_suppressions",
    "event_counts",
    "events",
    "followed_links",
    "former_mails",
    "former_members",
    "held_entries",
    "histories",
    "hook_deliveries",
    "idempotency_keys",
    "installation",
    "mail_readers",
    "messages",
    "metadata",
    "moved_rows",
    "moves",
    "operator_keys",
    "operator_sessions",
    "organizations",
    "pass_notes",
    "pending_members",
    "released_entries",
    "sent_before",
    "sign_in_links",
    "signals",
    "stripe_passed_over",
    "subscription_members",
    "subscriptions",
    "suppressions",
    "surge_entries",
    "taken_messages",
    "waiting_calls",
    "waiting_entries",
    "webhook_deliveries",
    "webhook_endpoints",
    "webhook_events",
]

#: Every table with rows of an organisation, but for ``organizations``: what is erased with it, and
#: what moves with it. A table comes after those that it refers to. Where an organisation went
#: outlives it.
OWNED: Final = tuple(
    each
    for each in metadata.sorted_tables
    if "org_id" in each.c and each not in (moves, moved_rows)
)

"""Every table of the engine, as SQLAlchemy Core: one module per aggregate, one ``metadata`` for
all.
"""

from halo_engine.tables.audit import audit_log
from halo_engine.tables.contacts import audience_field_counts, audience_fields, companies, end_users
from halo_engine.tables.enrollments import (
    automation_enrollments,
    automation_recipients,
    cleared_recipients,
    enrollment_refusals,
)
from halo_engine.tables.events import contact_sessions, event_counts, events
from halo_engine.tables.idempotency import idempotency_keys
from halo_engine.tables.imports import csv_imports
from halo_engine.tables.installation import installation
from halo_engine.tables.lists import (
    erased_suppressions,
    subscription_members,
    subscriptions,
    suppressions,
)
from halo_engine.tables.messages import bounce_reports, messages
from halo_engine.tables.metadata import metadata
from halo_engine.tables.organizations import organizations
from halo_engine.tables.series import automation_active_periods, automation_steps, automations
from halo_engine.tables.signals import signals
from halo_engine.tables.stripe import stripe_passed_over

__all__ = [
    "audience_field_counts",
    "audience_fields",
    "audit_log",
    "automation_active_periods",
    "automation_enrollments",
    "automation_recipients",
    "automation_steps",
    "automations",
    "bounce_reports",
    "cleared_recipients",
    "companies",
    "contact_sessions",
    "csv_imports",
    "end_users",
    "enrollment_refusals",
    "erased_suppressions",
    "event_counts",
    "events",
    "idempotency_keys",
    "installation",
    "messages",
    "metadata",
    "organizations",
    "signals",
    "stripe_passed_over",
    "subscription_members",
    "subscriptions",
    "suppressions",
]

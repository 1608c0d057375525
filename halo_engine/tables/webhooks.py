"""Webhooks out: endpoints, what happened, and what is still to be delivered where (contract §14).

An event is one row however many endpoints want it; a delivery is one event for one endpoint.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from halo_engine.domain.series.happenings import TEST, Happening
from halo_engine.sql.metadata import (
    INSTANT,
    QUEUE_STORAGE,
    OrganizationId,
    arrival_id,
    entity_id,
    metadata,
    one_of,
)

DELIVERY_STATES = ("waiting", "delivered", "given_up")
OFF_REASONS = ("gone", "failing", "operator")

#: ``kinds`` and ``series_ids`` are the filter; NULL lets everything through. ``old_secret`` signs
#: too until ``old_secret_until``. ``failing_since`` is when the first attempt failed since one
#: succeeded, ``failures`` how many did; until ``resting_until`` nothing is tried.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("url", Text, nullable=False),
    Column("kinds", ARRAY(Text)),
    Column("series_ids", ARRAY(Uuid)),
    Column("with_traits", Boolean, nullable=False, server_default=text("false")),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("off_since", INSTANT),
    Column("off_reason", Text),
    Column("failing_since", INSTANT),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("resting_until", INSTANT),
    Column("problem", Text),
    Column("delivered_at", INSTANT),
    one_of("off_reason", OFF_REASONS),
    CheckConstraint("(off_since IS NULL) = (off_reason IS NULL)", name="off_for_a_reason"),
    CheckConstraint(
        "(old_secret IS NULL) = (old_secret_until IS NULL)", name="old_secret_for_a_while"
    ),
)

#: What happened. ``recipient_id`` names the mail. A test is about nobody.
webhook_events = Table(
    "webhook_events",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("kind", Text, nullable=False),
    Column("end_user_id", Uuid),
    Column("automation_id", Uuid),
    Column("enrollment_number", Integer),
    Column("step_id", Uuid),
    Column("recipient_id", BigInteger),
    Column("reason", Text),
    Column("at", INSTANT, nullable=False),
    one_of("kind", (*Happening, TEST)),
    CheckConstraint(
        f"(kind = '{TEST}') = (end_user_id IS NULL)"
        f" AND (kind = '{TEST}') = (automation_id IS NULL)",
        name="about_a_contact",
    ),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("webhook_events_contact_idx", "org_id", "end_user_id"),
    Index("webhook_events_at_idx", "org_id", "at"),
)

#: ``end_user_id`` repeats the event's: a contact's deliveries to one endpoint go in order.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("endpoint_id", Uuid, primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("end_user_id", Uuid),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("due_at", INSTANT, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("lease_token", Uuid),
    Column("lease_expires_at", INSTANT),
    Column("tried_at", INSTANT),
    Column("status", Integer),
    Column("problem", Text),
    one_of("state", DELIVERY_STATES),
    CheckConstraint(
        "(lease_token IS NULL) = (lease_expires_at IS NULL)"
        " AND (lease_token IS NULL OR state = 'waiting')",
        name="leased_while_waiting",
    ),
    ForeignKeyConstraint(
        ["org_id", "endpoint_id"],
        ["webhook_endpoints.org_id", "webhook_endpoints.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["org_id", "event_id"],
        ["webhook_events.org_id", "webhook_events.id"],
        ondelete="CASCADE",
    ),
    Index("webhook_deliveries_event_idx", "org_id", "event_id"),
    Index(
        "webhook_deliveries_due_idx",
        "org_id",
        "endpoint_id",
        "due_at",
        "event_id",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "webhook_deliveries_contact_idx",
        "org_id",
        "end_user_id",
        "endpoint_id",
        "event_id",
        postgresql_where=text("state = 'waiting'"),
    ),
    postgresql_with=QUEUE_STORAGE,
)

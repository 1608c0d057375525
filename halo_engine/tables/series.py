"""Series, their steps, their versions, and the periods in which they were active (contract §1, §4,
§5, §8, §18); what they know of surges (§19).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    EntryTrigger,
    SeriesKind,
    SeriesStatus,
)
from halo_engine.domain.series.conditions import ConditionType
from halo_engine.sql.metadata import (
    INSTANT,
    OrganizationId,
    arrival_id,
    entity_id,
    metadata,
    one_of,
)

automations = Table(
    "automations",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=SeriesStatus.DRAFT),
    Column("entry_trigger", Text, nullable=False),
    Column("audience_type", Text, nullable=False),
    Column("contact_type", Text, nullable=False),
    Column("subscription_id", Uuid),
    Column("audience_filters", JSONB, nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("activated_at", INSTANT),
    # When the last change of its status, and of its definition, was ordered (``series.orders``).
    Column("status_ordered_at", INSTANT),
    Column("definition_ordered_at", INSTANT),
    # How many saves changed its definition; the first one counts.
    Column("version", Integer, nullable=False, server_default=text("1")),
    # Whether it has a surge, or had one: contacts may be held.
    Column("has_surges", Boolean, nullable=False, server_default=text("false")),
    # What ``at_most: auto`` of its surge was last worked out to be.
    Column("surge_at_most", Integer),
    # The pace of the release that is under way: so many of those who are held in any such span.
    Column("release_at_most", Integer),
    Column("release_within_seconds", BigInteger),
    one_of("kind", SeriesKind),
    one_of("status", SeriesStatus),
    one_of("entry_trigger", EntryTrigger),
    one_of("audience_type", AudienceType),
    one_of("contact_type", ContactTypeChoice),
    CheckConstraint("status = 'draft' OR activated_at IS NOT NULL", name="active_once"),
    CheckConstraint(
        "(release_at_most IS NULL) = (release_within_seconds IS NULL)", name="pace_is_whole"
    ),
    ForeignKeyConstraint(
        ["org_id", "subscription_id"], ["subscriptions.org_id", "subscriptions.id"]
    ),
    Index("automations_key_key", "org_id", "key", unique=True),
)

automation_steps = Table(
    "automation_steps",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    entity_id(),
    Column("automation_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("delay_seconds", BigInteger, nullable=False),
    Column("email", JSONB(none_as_null=True)),
    Column("condition_type", Text),
    Column("condition_value", Text),
    # If true, ``send_window`` is the step's own (null: none); else the series' window holds.
    Column("has_own_window", Boolean, nullable=False, server_default=text("false")),
    Column("send_window", JSONB(none_as_null=True)),
    # Caps do not hold its email back, which counts for them (contract §20).
    # How long after it was due its email may still be sent (contract §20).
    Column("send_by_seconds", BigInteger),
    Column("ignore_caps", Boolean, nullable=False, server_default=text("false")),
    Column("removed_at", INSTANT),
    one_of("condition_type", ConditionType),
    CheckConstraint(
        "(email IS NULL) <> (condition_type IS NULL)", name="is_an_email_or_a_condition"
    ),
    CheckConstraint("has_own_window OR send_window IS NULL", name="window_is_its_own"),
    CheckConstraint("delay_seconds >= 0", name="delay_not_negative"),
    CheckConstraint("position >= 0", name="position_not_negative"),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    Index("automation_steps_key_key", "org_id", "automation_id", "key", unique=True),
)

#: What each save made of a definition, as a file writes it.
automation_versions = Table(
    "automation_versions",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("saved_at", INSTANT, nullable=False),
    # Both are unknown of a version that was saved before versions were kept.
    Column("saved_by", Text),
    Column("via", Text),
    Column("definition", JSONB, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "automation_id"], ["automations.org_id", "automations.id"], ondelete="CASCADE"
    ),
)

automation_active_periods = Table(
    "automation_active_periods",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("started_at", INSTANT, primary_key=True),
    Column("ended_at", INSTANT),
    Column("started_by", Text, nullable=False),
    Column("ended_by", Text),
    CheckConstraint("ended_at >= started_at", name="ends_after_it_starts"),
    CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    Index(
        "automation_active_periods_open_key",
        "org_id",
        "automation_id",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
)

#: How many contacts entered at an instant, of those that count for the surge. It names no contact:
#: who entered counts although it was erased since.
surge_entries = Table(
    "surge_entries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("began_at", INSTANT, primary_key=True),
    arrival_id(),
    Column("entries", Integer, nullable=False),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
)

#: How many contacts who were held entered at an instant, of those whom a release lets in at a pace.
released_entries = Table(
    "released_entries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("began_at", INSTANT, primary_key=True),
    arrival_id(),
    Column("entries", Integer, nullable=False),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
)

#: Who is held, in order of ``id``, with the trigger that came first.
held_entries = Table(
    "held_entries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    arrival_id(primary_key=False),
    Column("held_at", INSTANT, nullable=False),
    # The event of the trigger; a run that begins later keeps its properties (§21).
    Column("event_id", BigInteger),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("held_entries_order_idx", "org_id", "automation_id", "id"),
    Index("held_entries_contact_idx", "org_id", "end_user_id"),
)

#: Who was discarded from a ``segment_match`` series, until seen outside the audience (guard 8's
#: rule).
discarded_entries = Table(
    "discarded_entries",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("automation_id", Uuid, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("discarded_at", INSTANT, nullable=False),
    Column("outside_by_definition", Boolean, nullable=False, server_default=text("false")),
    ForeignKeyConstraint(["org_id", "automation_id"], ["automations.org_id", "automations.id"]),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("discarded_entries_contact_idx", "org_id", "end_user_id"),
)

"""Series, their steps, their versions, and the periods in which they were active (contract §1, §4,
§5, §8, §18).
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
from halo_engine.sql.metadata import INSTANT, OrganizationId, entity_id, metadata, one_of

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
    one_of("kind", SeriesKind),
    one_of("status", SeriesStatus),
    one_of("entry_trigger", EntryTrigger),
    one_of("audience_type", AudienceType),
    one_of("contact_type", ContactTypeChoice),
    CheckConstraint("status = 'draft' OR activated_at IS NOT NULL", name="active_once"),
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

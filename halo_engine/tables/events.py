"""Events that were tracked, and how often each fired for each contact (contract §2, §3, §5)."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Interval,
    Table,
    Text,
    Uuid,
    case,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, arrival_id, metadata

#: ``live``: arrived within a day of happening, for a known contact; the rest is history (contract
#: §2, Events). An event never arrives before it happens. Each month of arrival is a partition, so
#: that old ones go at once; ticks make and drop them (``retention.months``).
events = Table(
    "events",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("end_user_id", Uuid),
    Column("session_id", Text),
    Column("name", Text, nullable=False),
    Column("properties", JSONB, nullable=False, server_default=text("'{}'")),
    Column("happened_at", INSTANT, nullable=False),
    Column("created_at", INSTANT, primary_key=True),
    Column("live", Boolean, nullable=False),
    # The largest properties, where an enrollment keeps all but these; NULL where it keeps all.
    Column("left_out", ARRAY(Text)),
    CheckConstraint("name <> ''", name="named"),
    CheckConstraint("end_user_id IS NOT NULL OR session_id IS NOT NULL", name="somebodys"),
    CheckConstraint("end_user_id IS NOT NULL OR NOT live", name="anonymous_is_history"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index(
        "events_contact_idx",
        "org_id",
        "end_user_id",
        "name",
        "happened_at",
        "id",
        postgresql_where=text("end_user_id IS NOT NULL"),
    ),
    Index(
        "events_anonymous_idx",
        "org_id",
        "session_id",
        postgresql_where=text("end_user_id IS NULL"),
    ),
    postgresql_partition_by="RANGE (created_at)",
)

#: An event never arrives before it happened. What looks for events since an instant says so, and
#: older partitions are not looked at; the day is for whoever's clock goes wrong.
_CLOCKS: Final = literal_column("interval '1 day'", Interval())


def came_since(instant: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return what holds of all events that happened since ``instant``, of which partitions know."""
    return events.c.created_at > instant - _CLOCKS


#: What a run that the event begins keeps of its properties; NULL for none (contract §21).
KEPT_PROPERTIES: Final = func.nullif(
    case(
        (events.c.left_out.is_(None), events.c.properties),
        else_=events.c.properties.op("-", return_type=JSONB())(events.c.left_out),
    ),
    literal_column("'{}'::jsonb"),
    type_=JSONB(),
)

#: The contacts of sessions that were anonymous: for the systems that hold transcripts and tickets.
contact_sessions = Table(
    "contact_sessions",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("linked_at", INSTANT, nullable=False),
    CheckConstraint("session_id <> ''", name="session_named"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index("contact_sessions_contact_idx", "org_id", "end_user_id"),
)

event_counts = Table(
    "event_counts",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", INSTANT, nullable=False),
    Column("last_at", INSTANT, nullable=False),
    # The latest live firing, by instant and arrival: what exits and conditions compare with.
    Column("live_at", INSTANT),
    Column("live_id", BigInteger),
    CheckConstraint("count >= 1", name="fired"),
    CheckConstraint("(live_at IS NULL) = (live_id IS NULL)", name="live_is_whole"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
)

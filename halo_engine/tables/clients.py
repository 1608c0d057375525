"""What is kept of other products' clients: what came, and what has to wait (contract §13)."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, arrival_id, metadata, one_of

#: Messages that were taken. ``key`` is a hash of the client's name and the message's id, ``body``
#: one of what it said, where another body under the same id is refused: hashes name nobody.
taken_messages = Table(
    "taken_messages",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("key", Uuid, primary_key=True),
    Column("body", Uuid),
    Column("taken_at", INSTANT, nullable=False),
    Index("taken_messages_taken_idx", "org_id", "taken_at"),
)

#: Traits of people who have not said yet who they are.
anonymous_traits = Table(
    "anonymous_traits",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("traits", JSONB, nullable=False),
    Column("said_at", INSTANT, nullable=False),
    CheckConstraint("session_id <> ''", name="session_named"),
    Index("anonymous_traits_said_idx", "org_id", "said_at"),
)

#: Calls about users who are unknown yet. ``fields`` are the call's, with its instant.
waiting_calls = Table(
    "waiting_calls",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("user_id", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("came_at", INSTANT, nullable=False),
    CheckConstraint("user_id <> ''", name="user_named"),
    one_of("door", ("track", "companies.identify", "sessions.link")),
    Index("waiting_calls_user_idx", "org_id", "user_id", "id"),
    Index("waiting_calls_came_idx", "org_id", "came_at"),
)

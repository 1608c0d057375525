"""The keys and sessions of those who operate an organisation; the audit log of what they did."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.domain.roles import Role
from halo_engine.sql.metadata import (
    INSTANT,
    OrganizationId,
    arrival_id,
    entity_id,
    metadata,
    one_of,
)

#: ``prefix`` is the part of a key that may be shown, and by which it is found. ``hash``: SHA-256 of
#: the whole key, which is stored nowhere. ``last_used_at`` is kept to the minute.
operator_keys = Table(
    "operator_keys",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT),
    Column("last_used_at", INSTANT),
    Column("revoked_at", INSTANT),
    one_of("role", Role),
    CheckConstraint("name <> ''", name="name_not_blank"),
    CheckConstraint("octet_length(hash) = 32", name="hash_whole"),
    Index("operator_keys_prefix_key", "prefix", unique=True),
)

#: The sessions of people who signed in to the panel; each ends with the key that it was begun by.
#: ``hash``: SHA-256 of the id that the browser has, which is stored nowhere.
operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    entity_id(),
    Column("key_id", Uuid, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    ForeignKeyConstraint(["org_id", "key_id"], ["operator_keys.org_id", "operator_keys.id"]),
    CheckConstraint("octet_length(hash) = 32", name="hash_whole"),
    Index("operator_sessions_hash_key", "hash", unique=True),
)

#: The links that `halo up` prints; each signs in once, then its row is gone. ``hash``: SHA-256 of
#: the link's token, which is stored nowhere.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("hash", LargeBinary, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    CheckConstraint("octet_length(hash) = 32", name="hash_whole"),
    Index("sign_in_links_hash_key", "hash", unique=True),
)

#: What operators did, through which door, and what it changed. Rows are never changed. ``action``
#: is the task's name without ``halo.``; ``target`` names a contact by its id alone, so that nothing
#: here is about a person once they are erased. ``address`` is the caller's IP address and
#: ``request_id`` its request's, where it came over HTTP.
audit_log = Table(
    "audit_log",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    arrival_id(),
    Column("at", INSTANT, nullable=False),
    Column("by", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("address", Text),
    Column("request_id", Text),
    Column("before", JSONB),
    Column("after", JSONB),
    Index("audit_log_at_idx", "org_id", "at"),
)

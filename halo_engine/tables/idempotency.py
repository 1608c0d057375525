"""Answers kept under idempotency keys (contract §2, Events)."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.tables.metadata import INSTANT, OrganizationId, metadata

#: ``fingerprint``: SHA-256 of the call, in hex; the call itself is not kept twice.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", JSONB, nullable=False),
    # The call's contact: keys often contain names, so they are deleted with the contact.
    Column("end_user_id", Uuid),
    Column("created_at", INSTANT, nullable=False),
    CheckConstraint("key <> ''", name="key_not_blank"),
    CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name="fingerprint_whole"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    Index(
        "idempotency_keys_contact_idx",
        "org_id",
        "end_user_id",
        postgresql_where=text("end_user_id IS NOT NULL"),
    ),
)

"""The answers that are kept for callers who say the same thing twice (contract §2, Events)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.tables.metadata import INSTANT, metadata

#: ``fingerprint``: SHA-256 of the call, in hex; the call itself is not kept twice.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("org_id", Uuid, ForeignKey("organizations.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", JSONB, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    CheckConstraint("key <> ''", name="key_not_blank"),
    CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name="fingerprint_whole"),
)

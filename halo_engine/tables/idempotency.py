"""What was done once: answers under idempotency keys (§2, Events), webhooks taken (§12)."""

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, metadata

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
    # The oldest are deleted (contract §24). Keys have no order, so no walk could find them.
    Index("idempotency_keys_age_idx", "org_id", "created_at"),
)

#: Webhooks that were taken, by the SHA-256 of the hook's name and the sender's id: ids are others'
#: text. Deleted when the same id may be taken again.
hook_deliveries = Table(
    "hook_deliveries",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("name", LargeBinary, primary_key=True),
    Column("taken_at", INSTANT, nullable=False),
    CheckConstraint("octet_length(name) = 32", name="name_whole"),
    Index("hook_deliveries_taken_idx", "org_id", "taken_at"),
)

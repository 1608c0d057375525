"""Subscription lists, who is on them, and the addresses that get no mail at all (§2, §3)."""

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

from halo_engine.tables.metadata import INSTANT, OrganizationId, entity_id, metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("key", Text, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Index("subscriptions_key_key", "org_id", "key", unique=True),
)

subscription_members = Table(
    "subscription_members",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("subscription_id", Uuid, primary_key=True),
    Column("subscribed_at", INSTANT, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(
        ["org_id", "subscription_id"], ["subscriptions.org_id", "subscriptions.id"]
    ),
    Index("subscription_members_list_idx", "org_id", "subscription_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    Column("bounced_at", INSTANT),
    Column("unsubscribed_at", INSTANT),
    Column("complained_at", INSTANT),
    CheckConstraint(
        "num_nonnulls(bounced_at, unsubscribed_at, complained_at) > 0", name="has_a_cause"
    ),
    CheckConstraint("address = lower(address)", name="address_lowered"),
)

#: Suppressions of contacts that were erased: ``address_hash`` is HMAC-SHA256 of the address, keyed
#: by the organisation's ``address_key``. One whose address comes again is a suppression again.
erased_suppressions = Table(
    "erased_suppressions",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("address_hash", LargeBinary, primary_key=True),
    Column("bounced_at", INSTANT),
    Column("unsubscribed_at", INSTANT),
    Column("complained_at", INSTANT),
    CheckConstraint(
        "num_nonnulls(bounced_at, unsubscribed_at, complained_at) > 0", name="has_a_cause"
    ),
    CheckConstraint("octet_length(address_hash) = 32", name="hash_whole"),
)

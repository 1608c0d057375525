"""Subscription lists, who is on them, and the addresses that get no mail at all (§2, §3, §16)."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)

from halo_engine.sql.metadata import (
    INSTANT,
    OrganizationId,
    arrival_id,
    entity_id,
    metadata,
    one_of,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("key", Text, nullable=False),
    # What people see; a list without a name is shown by its key.
    Column("name", Text),
    Column("description", Text),
    # Whether contacts join when they are created.
    Column("is_default", Boolean, nullable=False, server_default=text("false")),
    # Whether whoever subscribes has to confirm it by a mail.
    Column("double_opt_in", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", INSTANT, nullable=False),
    CheckConstraint("NOT (is_default AND double_opt_in)", name="joined_or_confirmed"),
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

#: When contacts last left a list: the preference page offers it again (contract §16).
former_members = Table(
    "former_members",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("subscription_id", Uuid, primary_key=True),
    Column("left_at", INSTANT, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(
        ["org_id", "subscription_id"], ["subscriptions.org_id", "subscriptions.id"]
    ),
)

#: Contacts that asked for a list with double opt-in, and when they last did. They are not on it:
#: the contact has to confirm.
pending_members = Table(
    "pending_members",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    Column("end_user_id", Uuid, primary_key=True),
    Column("subscription_id", Uuid, primary_key=True),
    Column("asked_at", INSTANT, nullable=False),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(
        ["org_id", "subscription_id"], ["subscriptions.org_id", "subscriptions.id"]
    ),
    Index("pending_members_list_idx", "org_id", "subscription_id"),
    Index("pending_members_asked_idx", "org_id", "asked_at"),
)

#: ``dropped``: nobody asked any more when its turn came. The others are those of ``messages``.
CONFIRMATION_STATES = ("waiting", "intended", "sent", "failed", "unknown", "dropped")

#: Mails with a link to confirm a list, at most one an address, list and day; the log of sending
#: them. ``day`` is a day in the organisation's time zone.
confirmations = Table(
    "confirmations",
    metadata,
    Column("org_id", OrganizationId, primary_key=True),
    arrival_id(),
    Column("subscription_id", Uuid, nullable=False),
    # The contact for which it was asked; others of the same address may confirm by it too.
    Column("end_user_id", Uuid, nullable=False),
    Column("address", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("asked_at", INSTANT, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("due_at", INSTANT, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("message_id", Text),
    Column("intended_at", INSTANT),
    Column("sent_at", INSTANT),
    Column("error", Text),
    one_of("state", CONFIRMATION_STATES),
    CheckConstraint("address = lower(address)", name="address_lowered"),
    CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at_an_instant"),
    CheckConstraint(
        "state <> 'intended' OR intended_at IS NOT NULL", name="intended_at_an_instant"
    ),
    CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="failed_for_an_error"),
    ForeignKeyConstraint(
        ["org_id", "end_user_id"], ["end_users.org_id", "end_users.id"], ondelete="CASCADE"
    ),
    ForeignKeyConstraint(
        ["org_id", "subscription_id"], ["subscriptions.org_id", "subscriptions.id"]
    ),
    Index("confirmations_contact_idx", "org_id", "end_user_id"),
    Index("confirmations_day_key", "org_id", "address", "subscription_id", "day", unique=True),
    Index(
        "confirmations_waiting_idx",
        "org_id",
        "due_at",
        postgresql_where=text("state IN ('waiting', 'intended')"),
    ),
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
#: by the organisation's ``address_key``. When such an address comes again, its suppression is
#: restored.
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

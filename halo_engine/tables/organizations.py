"""Organisations: the customers' workspaces that every other row belongs to (contract §1)."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.sql.metadata import INSTANT, OrganizationId, entity_id, metadata, one_of

organizations = Table(
    "organizations",
    metadata,
    entity_id(),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("widget_key", Text, nullable=False, unique=True),
    # The widget key before this one, which works until it is revoked.
    Column("old_widget_key", Text, unique=True),
    Column("identity_secret", Text),
    # Keys the hashes of erased addresses; made at the first erasure that keeps one.
    Column("address_key", LargeBinary),
    # Signs the tokens in the links of its mails. The database makes it with the row: 244 random
    # bits.
    Column(
        "mail_key",
        LargeBinary,
        nullable=False,
        server_default=text("(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"),
    ),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("mrr_mode", Text, nullable=False, server_default="manual"),
    Column("stripe_connected", Boolean, nullable=False, server_default=text("false")),
    # Signs what Stripe sends to the hook; the one before works until it is revoked.
    Column("stripe_endpoint_secret", Text),
    Column("old_stripe_endpoint_secret", Text),
    Column("verified_domain", Boolean, nullable=False, server_default=text("false")),
    Column("company_footer", Text),
    # Who sends its mail; the installation's settings where these are not set.
    Column("mail_from_name", Text),
    Column("mail_from_address", Text),
    Column("mail_reply_to", Text),
    Column("mail_bounce_domain", Text),
    Column("reevaluate_cron", Text, nullable=False, server_default="*/15 * * * *"),
    # When no marketing goes out, as a file writes it (contract §20).
    Column("quiet_hours", JSONB(none_as_null=True)),
    # How much marketing a contact gets, as a file writes it (contract §20).
    Column("frequency_caps", JSONB(none_as_null=True)),
    # How long histories are kept, where not as long as by default (contract §24).
    Column("keeps", JSONB, nullable=False, server_default=text("'{}'")),
    # When the last pass of re-evaluation began, and how many did; a new organisation counts as
    # having had one then.
    Column("reevaluated_at", INSTANT, nullable=False),
    Column("passes", BigInteger, nullable=False, server_default=text("0")),
    # When the last pass over everybody began; NULL if the next has to be one.
    Column("passed_fully_at", INSTANT),
    # Whether the last pass was quick: then the next one begins with a large page.
    Column("passes_are_quick", Boolean, nullable=False, server_default=text("false")),
    # Since when no mail of the organisation goes out, and who stopped it.
    Column("sending_stopped_at", INSTANT),
    Column("sending_stopped_by", Text),
    # When an operator last ordered to stop or start mail.
    Column("sending_ordered_at", INSTANT),
    # What its webhook endpoints ask for; only that is written down (contract §14).
    Column("webhook_kinds", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # Whether contacts join a list when they are created (contract §16).
    Column("has_default_lists", Boolean, nullable=False, server_default=text("false")),
    # Whether it ever had a list with double opt-in: then mails to confirm may wait.
    Column("asks_to_confirm", Boolean, nullable=False, server_default=text("false")),
    # The series that filters name, by key: who begins or ends a run there has changed (§22).
    Column("announced_series", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_at", INSTANT, nullable=False),
    one_of("mrr_mode", ("manual", "stripe")),
    CheckConstraint("key <> ''", name="key_not_blank"),
    CheckConstraint("octet_length(address_key) = 32", name="address_key_whole"),
    CheckConstraint(
        "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)", name="stopped_by_somebody"
    ),
    CheckConstraint("octet_length(mail_key) = 32", name="mail_key_whole"),
)

#: How far old rows of an organisation are deleted: by history, from when on it is complete, and
#: where the search for old rows goes on. It is looked at again at ``next_at`` (contract §24).
histories = Table(
    "histories",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("next_at", INSTANT, nullable=False),
    Column("complete_since", JSONB, nullable=False, server_default=text("'{}'")),
    Column("cursor", JSONB(none_as_null=True)),
)

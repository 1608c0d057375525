"""Organisations: the customers' workspaces that every other row belongs to (contract §1)."""

from sqlalchemy import Boolean, CheckConstraint, Column, LargeBinary, Table, Text, text

from halo_engine.tables.metadata import INSTANT, entity_id, metadata, one_of

organizations = Table(
    "organizations",
    metadata,
    entity_id(),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("widget_key", Text, nullable=False, unique=True),
    Column("identity_secret", Text),
    # Keys the hashes of erased addresses; made at the first erasure that keeps one.
    Column("address_key", LargeBinary),
    # Signs the tokens in the links of its mails. Made with the row, by whomever: 244 random bits.
    Column(
        "mail_key",
        LargeBinary,
        nullable=False,
        server_default=text("(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"),
    ),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("mrr_mode", Text, nullable=False, server_default="manual"),
    Column("stripe_connected", Boolean, nullable=False, server_default=text("false")),
    Column("verified_domain", Boolean, nullable=False, server_default=text("false")),
    Column("company_footer", Text),
    Column("reevaluate_cron", Text, nullable=False, server_default="*/15 * * * *"),
    # When the last pass of re-evaluation began; a new organisation counts as having had one.
    Column("reevaluated_at", INSTANT, nullable=False),
    # Whether the last pass was quick: then the next one begins with a large page.
    Column("passes_are_quick", Boolean, nullable=False, server_default=text("false")),
    # Since when no mail of the organisation goes out, and who stopped it.
    Column("sending_stopped_at", INSTANT),
    Column("sending_stopped_by", Text),
    # When an operator last ordered to stop or start mail.
    Column("sending_ordered_at", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    one_of("mrr_mode", ("manual", "stripe")),
    CheckConstraint("key <> ''", name="key_not_blank"),
    CheckConstraint("octet_length(address_key) = 32", name="address_key_whole"),
    CheckConstraint(
        "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)", name="stopped_by_somebody"
    ),
    CheckConstraint("octet_length(mail_key) = 32", name="mail_key_whole"),
)

"""Contacts and companies, and the registry of the custom fields seen on them (contract §1, §2)."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from halo_engine.domain.fields.traits import RENEWAL_STATUSES, TERMS
from halo_engine.sql.metadata import INSTANT, OrganizationId, entity_id, metadata, one_of


def _account_columns() -> list[Column[object]]:
    """Return the recognised traits that contacts and companies share (contract §2, Identify).

    ``field_times`` stores when each field was last sent (``contacts.sending_order``).
    """
    return [
        Column("name", Text),
        Column("signed_up_at", INSTANT),
        Column("renewal_date", INSTANT),
        Column("renewal_status", Text),
        Column("contract_term", Text),
        Column("payment_terms", Text),
        Column("on_contract", Boolean),
        Column("mrr", Numeric),
        Column("arr", Numeric),
        Column("custom_fields", JSONB, nullable=False, server_default=text("'{}'")),
        Column("field_times", JSONB, nullable=False, server_default=text("'{}'")),
    ]


def _account_checks() -> list[CheckConstraint]:
    return [
        one_of("renewal_status", RENEWAL_STATUSES),
        one_of("contract_term", TERMS),
        one_of("payment_terms", TERMS),
    ]


companies = Table(
    "companies",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("external_id", Text, nullable=False),
    *_account_columns(),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    *_account_checks(),
    Index("companies_external_id_key", "org_id", "external_id", unique=True),
)

end_users = Table(
    "end_users",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    entity_id(),
    Column("external_id", Text),
    Column(
        "contact_type",
        Text,
        Computed("CASE WHEN external_id IS NULL THEN 'lead' ELSE 'user' END", persisted=True),
        nullable=False,
    ),
    Column("source", Text, nullable=False),
    Column("email", Text),
    # The form in which addresses are compared everywhere: leads, suppressions, imports.
    Column("address", Text, Computed("lower(email)", persisted=True)),
    *_account_columns(),
    Column("context", JSONB, nullable=False, server_default=text("'{}'")),
    Column("company_id", Uuid),
    Column("stripe_subscription_status", Text),
    Column("stripe_plan", Text),
    Column("stripe_trial_end", INSTANT),
    Column("stripe_current_period_end", INSTANT),
    Column("stripe_cancel_at_period_end", Boolean),
    # The customer, its subscription, and the time of Stripe's last event about it (decision 8).
    Column("stripe_customer_id", Text),
    Column("stripe_subscription_id", Text),
    Column("stripe_said_at", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("first_seen", INSTANT, nullable=False),
    Column("last_seen", INSTANT, nullable=False),
    Column("last_contacted_at", INSTANT),
    *_account_checks(),
    CheckConstraint("external_id <> ''", name="external_id_not_blank"),
    ForeignKeyConstraint(["org_id", "company_id"], ["companies.org_id", "companies.id"]),
    Index("end_users_external_id_key", "org_id", "external_id", unique=True),
    Index(
        "end_users_lead_address_key",
        "org_id",
        "address",
        unique=True,
        postgresql_where=text("external_id IS NULL"),
    ),
    Index("end_users_address_idx", "org_id", "address"),
    Index(
        "end_users_stripe_customer_key",
        "org_id",
        "stripe_customer_id",
        unique=True,
        postgresql_where=text("stripe_customer_id IS NOT NULL"),
    ),
    Index(
        "end_users_company_idx",
        "org_id",
        "company_id",
        "created_at",
        "id",
        postgresql_where=text("company_id IS NOT NULL"),
    ),
    Index("end_users_created_idx", "org_id", "created_at", "id"),
)

audience_fields = Table(
    "audience_fields",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("entity", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("first_seen_at", INSTANT, nullable=False),
    one_of("entity", ("contact", "company")),
    one_of("type", ("string", "number", "boolean", "date", "object", "array", "null")),
)

#: How many fields an organisation has registered, so that no call has to count them.
audience_field_counts = Table(
    "audience_field_counts",
    metadata,
    Column("org_id", OrganizationId, ForeignKey("organizations.id"), primary_key=True),
    Column("registered", Integer, nullable=False),
    CheckConstraint("registered > 0", name="counted"),
)

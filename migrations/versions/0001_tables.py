"""The first tables.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

#: Time-ordered ids. PostgreSQL 18 makes them itself; before, milliseconds, then the microseconds, then a number that
#: orders what one microsecond holds, then chance.
_UUID7_BUILT_IN = """
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$ SELECT uuidv7() $$
"""
_UUID7_BY_HAND = """
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (
        lpad(to_hex(micros / 1000), 12, '0')
        || '7' || lpad(to_hex((micros % 1000) * 4), 3, '0')
        || to_hex(8 + (turn >> 28 & 3)) || lpad(to_hex(turn & 268435455), 7, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 25, 8)
    )::uuid
    FROM (
        SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros,
               nextval('uuid7_turns') AS turn
    ) AS parts
$$
"""


def upgrade() -> None:
    """Create every table."""
    _create_uuid7()
    op.execute(sa.schema.CreateSequence(sa.Sequence("arrivals", data_type=sa.BigInteger())))
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("widget_key", sa.Text(), nullable=False),
        sa.Column("identity_secret", sa.Text(), nullable=True),
        sa.Column("address_key", sa.LargeBinary(), nullable=True),
        sa.Column(
            "mail_key",
            sa.LargeBinary(),
            server_default=sa.text(
                "(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
            ),
            nullable=False,
        ),
        sa.Column("timezone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("mrr_mode", sa.Text(), server_default="manual", nullable=False),
        sa.Column(
            "stripe_connected", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("verified_domain", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("company_footer", sa.Text(), nullable=True),
        sa.Column("reevaluate_cron", sa.Text(), server_default="*/15 * * * *", nullable=False),
        sa.Column("reevaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "passes_are_quick", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("sending_stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sending_stopped_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("key <> ''", name=op.f("organizations_key_not_blank")),
        sa.CheckConstraint(
            "mrr_mode IN ('manual', 'stripe')", name=op.f("organizations_mrr_mode_known")
        ),
        sa.CheckConstraint(
            "octet_length(address_key) = 32", name=op.f("organizations_address_key_whole")
        ),
        sa.CheckConstraint(
            "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)",
            name=op.f("organizations_stopped_by_somebody"),
        ),
        sa.CheckConstraint(
            "octet_length(mail_key) = 32", name=op.f("organizations_mail_key_whole")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("organizations_pkey")),
        sa.UniqueConstraint("key", name=op.f("organizations_key_key")),
        sa.UniqueConstraint("widget_key", name=op.f("organizations_widget_key_key")),
    )
    op.create_table(
        "installation",
        sa.Column("singleton", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sending_stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sending_stopped_by", sa.Text(), nullable=True),
        sa.Column("mail_down_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_down_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("singleton", name=op.f("installation_one_row")),
        sa.CheckConstraint(
            "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)",
            name=op.f("installation_stopped_by_somebody"),
        ),
        sa.CheckConstraint(
            "(mail_down_since IS NULL) = (mail_down_reason IS NULL)",
            name=op.f("installation_down_for_a_reason"),
        ),
        sa.PrimaryKeyConstraint("singleton", name=op.f("installation_pkey")),
    )
    op.create_table(
        "audience_fields",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "entity IN ('contact', 'company')", name=op.f("audience_fields_entity_known")
        ),
        sa.CheckConstraint(
            "type IN ('string', 'number', 'boolean', 'date', 'object', 'array', 'null')",
            name=op.f("audience_fields_type_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("audience_fields_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "entity", "key", name=op.f("audience_fields_pkey")),
    )
    op.create_table(
        "companies",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("signed_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_status", sa.Text(), nullable=True),
        sa.Column("contract_term", sa.Text(), nullable=True),
        sa.Column("payment_terms", sa.Text(), nullable=True),
        sa.Column("on_contract", sa.Boolean(), nullable=True),
        sa.Column("mrr", sa.Numeric(), nullable=True),
        sa.Column("arr", sa.Numeric(), nullable=True),
        sa.Column(
            "custom_fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "contract_term IN ('monthly', 'quarterly', 'annual', 'bi_annual')",
            name=op.f("companies_contract_term_known"),
        ),
        sa.CheckConstraint(
            "payment_terms IN ('monthly', 'quarterly', 'annual', 'bi_annual')",
            name=op.f("companies_payment_terms_known"),
        ),
        sa.CheckConstraint(
            "renewal_status IN ('up_for_renewal', 'in_progress', 'likely_to_renew', 'expansion_opportunity', 'set_to_cancel', 'set_to_cancel_trial', 'at_risk', 'renewed', 'lost')",
            name=op.f("companies_renewal_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("companies_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("companies_pkey")),
    )
    op.create_index(
        "companies_external_id_key", "companies", ["org_id", "external_id"], unique=True
    )
    op.create_table(
        "csv_imports",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("key ~ '^[0-9a-f]{64}$'", name=op.f("csv_imports_key_whole")),
        sa.CheckConstraint(
            "created + updated <= rows_done", name=op.f("csv_imports_each_row_once")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("csv_imports_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "key", name=op.f("csv_imports_pkey")),
    )
    op.create_table(
        "erased_suppressions",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "bounced_at IS NOT NULL OR unsubscribed_at IS NOT NULL",
            name=op.f("erased_suppressions_has_a_cause"),
        ),
        sa.CheckConstraint(
            "octet_length(address_hash) = 32", name=op.f("erased_suppressions_hash_whole")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("erased_suppressions_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "address_hash", name=op.f("erased_suppressions_pkey")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("subscriptions_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("subscriptions_pkey")),
    )
    op.create_index("subscriptions_key_key", "subscriptions", ["org_id", "key"], unique=True)
    op.create_table(
        "suppressions",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsubscribed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("address = lower(address)", name=op.f("suppressions_address_lowered")),
        sa.CheckConstraint(
            "bounced_at IS NOT NULL OR unsubscribed_at IS NOT NULL",
            name=op.f("suppressions_has_a_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("suppressions_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "address", name=op.f("suppressions_pkey")),
    )
    op.create_table(
        "automations",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("entry_trigger", sa.Text(), nullable=False),
        sa.Column("audience_type", sa.Text(), nullable=False),
        sa.Column("contact_type", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("audience_filters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "audience_type IN ('all', 'segment', 'subscription')",
            name=op.f("automations_audience_type_known"),
        ),
        sa.CheckConstraint(
            "contact_type IN ('both', 'user', 'lead')", name=op.f("automations_contact_type_known")
        ),
        sa.CheckConstraint(
            "entry_trigger IN ('manual', 'user_created', 'event', 'segment_match')",
            name=op.f("automations_entry_trigger_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('transactional', 'marketing')", name=op.f("automations_kind_known")
        ),
        sa.CheckConstraint(
            "status = 'draft' OR activated_at IS NOT NULL", name=op.f("automations_active_once")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'paused', 'completed')",
            name=op.f("automations_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "subscription_id"],
            ["subscriptions.org_id", "subscriptions.id"],
            name=op.f("automations_org_id_subscription_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("automations_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("automations_pkey")),
    )
    op.create_index("automations_key_key", "automations", ["org_id", "key"], unique=True)
    op.create_table(
        "end_users",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column(
            "contact_type",
            sa.Text(),
            sa.Computed(
                "CASE WHEN external_id IS NULL THEN 'lead' ELSE 'user' END", persisted=True
            ),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), sa.Computed("lower(email)", persisted=True), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("signed_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_status", sa.Text(), nullable=True),
        sa.Column("contract_term", sa.Text(), nullable=True),
        sa.Column("payment_terms", sa.Text(), nullable=True),
        sa.Column("on_contract", sa.Boolean(), nullable=True),
        sa.Column("mrr", sa.Numeric(), nullable=True),
        sa.Column("arr", sa.Numeric(), nullable=True),
        sa.Column(
            "custom_fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "context",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("stripe_subscription_status", sa.Text(), nullable=True),
        sa.Column("stripe_plan", sa.Text(), nullable=True),
        sa.Column("stripe_trial_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_cancel_at_period_end", sa.Boolean(), nullable=True),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("stripe_subscription_id", sa.Text(), nullable=True),
        sa.Column("stripe_said_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_contacted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "contract_term IN ('monthly', 'quarterly', 'annual', 'bi_annual')",
            name=op.f("end_users_contract_term_known"),
        ),
        sa.CheckConstraint("external_id <> ''", name=op.f("end_users_external_id_not_blank")),
        sa.CheckConstraint(
            "payment_terms IN ('monthly', 'quarterly', 'annual', 'bi_annual')",
            name=op.f("end_users_payment_terms_known"),
        ),
        sa.CheckConstraint(
            "renewal_status IN ('up_for_renewal', 'in_progress', 'likely_to_renew', 'expansion_opportunity', 'set_to_cancel', 'set_to_cancel_trial', 'at_risk', 'renewed', 'lost')",
            name=op.f("end_users_renewal_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "company_id"],
            ["companies.org_id", "companies.id"],
            name=op.f("end_users_org_id_company_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("end_users_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("end_users_pkey")),
    )
    op.create_index("end_users_address_idx", "end_users", ["org_id", "address"], unique=False)
    op.create_index(
        "end_users_company_idx",
        "end_users",
        ["org_id", "company_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("company_id IS NOT NULL"),
    )
    op.create_index(
        "end_users_created_idx", "end_users", ["org_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "end_users_external_id_key", "end_users", ["org_id", "external_id"], unique=True
    )
    op.create_index(
        "end_users_lead_address_key",
        "end_users",
        ["org_id", "address"],
        unique=True,
        postgresql_where=sa.text("external_id IS NULL"),
    )
    op.create_index(
        "end_users_stripe_customer_key",
        "end_users",
        ["org_id", "stripe_customer_id"],
        unique=True,
        postgresql_where=sa.text("stripe_customer_id IS NOT NULL"),
    )
    op.create_table(
        "automation_active_periods",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL)",
            name=op.f("automation_active_periods_ended_by_somebody"),
        ),
        sa.CheckConstraint(
            "ended_at >= started_at", name=op.f("automation_active_periods_ends_after_it_starts")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("automation_active_periods_org_id_automation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "started_at", name=op.f("automation_active_periods_pkey")
        ),
    )
    op.create_index(
        "automation_active_periods_open_key",
        "automation_active_periods",
        ["org_id", "automation_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "automation_enrollments",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('arrivals'::regclass)"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("company_seat", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("left_audience", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "outside_by_definition", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("goal_held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "exit_reason IN ('completed', 'unsubscribed', 'replied', 'segment_leave', 'event', 'filter_match', 'manual', 'suppressed', 'company_already_enrolled', 'condition_not_met')",
            name=op.f("automation_enrollments_exit_reason_known"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (exit_reason IS NULL)",
            name=op.f("automation_enrollments_ended_for_a_reason"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("automation_enrollments_number_from_one")),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("automation_enrollments_org_id_automation_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("automation_enrollments_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "org_id",
            "automation_id",
            "end_user_id",
            "number",
            name=op.f("automation_enrollments_pkey"),
        ),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01},
    )
    op.create_index(
        "automation_enrollments_contact_idx",
        "automation_enrollments",
        ["org_id", "end_user_id"],
        unique=False,
    )
    op.create_index(
        "automation_enrollments_seat_key",
        "automation_enrollments",
        ["org_id", "company_seat", "automation_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND company_seat IS NOT NULL"),
    )
    op.create_table(
        "automation_steps",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("delay_seconds", sa.BigInteger(), nullable=False),
        sa.Column(
            "email", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("condition_type", sa.Text(), nullable=True),
        sa.Column("condition_value", sa.Text(), nullable=True),
        sa.Column("has_own_window", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "send_window", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "condition_type IN ('email_opened', 'link_clicked', 'user_property', 'event_fired')",
            name=op.f("automation_steps_condition_type_known"),
        ),
        sa.CheckConstraint(
            "(email IS NULL) <> (condition_type IS NULL)",
            name=op.f("automation_steps_is_an_email_or_a_condition"),
        ),
        sa.CheckConstraint("delay_seconds >= 0", name=op.f("automation_steps_delay_not_negative")),
        sa.CheckConstraint(
            "has_own_window OR send_window IS NULL", name=op.f("automation_steps_window_is_its_own")
        ),
        sa.CheckConstraint("position >= 0", name=op.f("automation_steps_position_not_negative")),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("automation_steps_org_id_automation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("automation_steps_pkey")),
    )
    op.create_index(
        "automation_steps_key_key",
        "automation_steps",
        ["org_id", "automation_id", "key"],
        unique=True,
    )
    op.create_table(
        "contact_sessions",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("session_id <> ''", name=op.f("contact_sessions_session_named")),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("contact_sessions_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "session_id", "end_user_id", name=op.f("contact_sessions_pkey")
        ),
    )
    op.create_index(
        "contact_sessions_contact_idx", "contact_sessions", ["org_id", "end_user_id"], unique=False
    )
    op.create_table(
        "cleared_recipients",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('arrivals'::regclass)"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('skipped', 'failed')", name=op.f("cleared_recipients_status_known")
        ),
        sa.CheckConstraint(
            "reason IN ('no_email', 'unsubscribed', 'condition_not_met', 'step_removed')",
            name=op.f("cleared_recipients_reason_known"),
        ),
        sa.CheckConstraint(
            "(status = 'skipped') = (reason IS NOT NULL)",
            name=op.f("cleared_recipients_skipped_for_a_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "step_id"],
            ["automation_steps.org_id", "automation_steps.id"],
            name=op.f("cleared_recipients_org_id_step_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "id", name=op.f("cleared_recipients_pkey")
        ),
    )
    op.create_table(
        "enrollment_refusals",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "code IN ('series_not_active', 'contact_type', 'audience_mismatch', 'suppressed', 'already_active', 'already_enrolled', 'reenroll_delay', 'not_newly_matching', 'exit_filter', 'company_already_enrolled', 'awaiting_evaluation', 'trigger_not_fired')",
            name=op.f("enrollment_refusals_code_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("enrollment_refusals_org_id_automation_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("enrollment_refusals_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "end_user_id", name=op.f("enrollment_refusals_pkey")
        ),
    )
    op.create_table(
        "event_counts",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(live_at IS NULL) = (live_id IS NULL)", name=op.f("event_counts_live_is_whole")
        ),
        sa.CheckConstraint("count >= 1", name=op.f("event_counts_fired")),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("event_counts_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "end_user_id", "name", name=op.f("event_counts_pkey")),
    )
    op.create_table(
        "events",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('arrivals'::regclass)"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("end_user_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "properties",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("events_named")),
        sa.CheckConstraint(
            "end_user_id IS NOT NULL OR NOT live", name=op.f("events_anonymous_is_history")
        ),
        sa.CheckConstraint(
            "end_user_id IS NOT NULL OR session_id IS NOT NULL", name=op.f("events_somebodys")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("events_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("events_org_id_fkey")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("events_pkey")),
    )
    op.create_index(
        "events_anonymous_idx",
        "events",
        ["org_id", "session_id"],
        unique=False,
        postgresql_where=sa.text("end_user_id IS NULL"),
    )
    op.create_index(
        "events_contact_idx",
        "events",
        ["org_id", "end_user_id", "name", "happened_at", "id"],
        unique=False,
        postgresql_where=sa.text("end_user_id IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "fingerprint ~ '^[0-9a-f]{64}$'", name=op.f("idempotency_keys_fingerprint_whole")
        ),
        sa.CheckConstraint("key <> ''", name=op.f("idempotency_keys_key_not_blank")),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("idempotency_keys_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("idempotency_keys_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index(
        "idempotency_keys_contact_idx",
        "idempotency_keys",
        ["org_id", "end_user_id"],
        unique=False,
        postgresql_where=sa.text("end_user_id IS NOT NULL"),
    )
    op.create_table(
        "signals",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('arrivals'::regclass)"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("automation_id", sa.Uuid(), nullable=True),
        sa.Column(
            "changed", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("event_name", sa.Text(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "cursor", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'event') = (event_name IS NOT NULL)", name=op.f("signals_event_named")
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'company_changed' THEN company_id IS NOT NULL WHEN 'activated' THEN automation_id IS NOT NULL WHEN 'reevaluated' THEN true ELSE end_user_id IS NOT NULL END",
            name=op.f("signals_concerns_something"),
        ),
        sa.CheckConstraint(
            "kind IN ('created', 'promoted', 'changed', 'silent', 'event', 'company_changed', 'activated', 'reevaluated')",
            name=op.f("signals_kind_known"),
        ),
        sa.CheckConstraint(
            "(parked_at IS NULL) = (error IS NULL)", name=op.f("signals_parked_for_an_error")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("signals_org_id_automation_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "company_id"],
            ["companies.org_id", "companies.id"],
            name=op.f("signals_org_id_company_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("signals_org_id_fkey")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("signals_pkey")),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01},
    )
    op.create_index(
        "signals_waiting_idx",
        "signals",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("parked_at IS NULL"),
    )
    op.create_table(
        "subscription_members",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("subscribed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("subscription_members_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "subscription_id"],
            ["subscriptions.org_id", "subscriptions.id"],
            name=op.f("subscription_members_org_id_subscription_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "end_user_id", "subscription_id", name=op.f("subscription_members_pkey")
        ),
    )
    op.create_index(
        "subscription_members_list_idx",
        "subscription_members",
        ["org_id", "subscription_id"],
        unique=False,
    )
    op.create_table(
        "automation_recipients",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('arrivals'::regclass)"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("enrollment_number", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(status = 'processing') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_expires_at IS NULL)",
            name=op.f("automation_recipients_leased_while_processing"),
        ),
        sa.CheckConstraint(
            "(status IN ('pending', 'processing')) = (finished_at IS NULL)",
            name=op.f("automation_recipients_active_until_finished"),
        ),
        sa.CheckConstraint(
            "CASE WHEN status IN ('pending', 'processing') THEN exit_reason IS NULL AND reason IS NULL WHEN status = 'exited' THEN exit_reason IS NOT NULL WHEN status IN ('skipped', 'failed') THEN reason IS NOT NULL ELSE reason IS NULL END",
            name=op.f("automation_recipients_says_why"),
        ),
        sa.CheckConstraint(
            "exit_reason IN ('completed', 'unsubscribed', 'replied', 'segment_leave', 'event', 'filter_match', 'manual', 'suppressed', 'company_already_enrolled', 'condition_not_met')",
            name=op.f("automation_recipients_exit_reason_known"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'completed', 'skipped', 'exited', 'failed')",
            name=op.f("automation_recipients_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id", "end_user_id", "enrollment_number"],
            [
                "automation_enrollments.org_id",
                "automation_enrollments.automation_id",
                "automation_enrollments.end_user_id",
                "automation_enrollments.number",
            ],
            name="automation_recipients_enrollment_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "step_id"],
            ["automation_steps.org_id", "automation_steps.id"],
            name=op.f("automation_recipients_org_id_step_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("automation_recipients_pkey")),
        postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01},
    )
    op.create_index(
        "automation_recipients_due_idx",
        "automation_recipients",
        ["org_id", "automation_id", "scheduled_for", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "automation_recipients_leased_idx",
        "automation_recipients",
        ["org_id", "automation_id"],
        unique=False,
        postgresql_where=sa.text("status = 'processing'"),
    )
    op.create_index(
        "automation_recipients_step_contact_key",
        "automation_recipients",
        ["org_id", "end_user_id", "step_id"],
        unique=True,
    )
    op.create_table(
        "messages",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_user_id", sa.Uuid(), nullable=False),
        sa.Column("automation_id", sa.Uuid(), nullable=False),
        sa.Column("enrollment_number", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clicked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply_arrival", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("messages_sent_at_an_instant")
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR error IS NOT NULL", name=op.f("messages_failed_for_an_error")
        ),
        sa.CheckConstraint(
            "state IN ('intended', 'sent', 'failed', 'unknown')", name=op.f("messages_state_known")
        ),
        sa.CheckConstraint(
            "(replied_at IS NULL) = (reply_arrival IS NULL)", name=op.f("messages_reply_is_whole")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("messages_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "step_id"],
            ["automation_steps.org_id", "automation_steps.id"],
            name=op.f("messages_org_id_step_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("org_id", "recipient_id", name=op.f("messages_pkey")),
    )
    op.create_index(
        "messages_enrollment_idx",
        "messages",
        ["org_id", "end_user_id", "automation_id", "enrollment_number", "recipient_id"],
        unique=False,
    )
    op.create_index(
        "messages_intended_idx",
        "messages",
        ["org_id", "recipient_id"],
        unique=False,
        postgresql_where=sa.text("state = 'intended'"),
    )
    op.create_index("messages_message_id_key", "messages", ["org_id", "message_id"], unique=True)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index("messages_message_id_key", table_name="messages")
    op.drop_index(
        "messages_intended_idx",
        table_name="messages",
        postgresql_where=sa.text("state = 'intended'"),
    )
    op.drop_index("messages_enrollment_idx", table_name="messages")
    op.drop_table("messages")
    op.drop_index("automation_recipients_step_contact_key", table_name="automation_recipients")
    op.drop_index(
        "automation_recipients_leased_idx",
        table_name="automation_recipients",
        postgresql_where=sa.text("status = 'processing'"),
    )
    op.drop_index(
        "automation_recipients_due_idx",
        table_name="automation_recipients",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_table("automation_recipients")
    op.drop_index("subscription_members_list_idx", table_name="subscription_members")
    op.drop_table("subscription_members")
    op.drop_index(
        "signals_waiting_idx", table_name="signals", postgresql_where=sa.text("parked_at IS NULL")
    )
    op.drop_table("signals")
    op.drop_index(
        "idempotency_keys_contact_idx",
        table_name="idempotency_keys",
        postgresql_where=sa.text("end_user_id IS NOT NULL"),
    )
    op.drop_table("idempotency_keys")
    op.drop_index(
        "events_contact_idx",
        table_name="events",
        postgresql_where=sa.text("end_user_id IS NOT NULL"),
    )
    op.drop_index(
        "events_anonymous_idx", table_name="events", postgresql_where=sa.text("end_user_id IS NULL")
    )
    op.drop_table("events")
    op.drop_table("event_counts")
    op.drop_table("enrollment_refusals")
    op.drop_table("cleared_recipients")
    op.drop_index("contact_sessions_contact_idx", table_name="contact_sessions")
    op.drop_table("contact_sessions")
    op.drop_index("automation_steps_key_key", table_name="automation_steps")
    op.drop_table("automation_steps")
    op.drop_index(
        "automation_enrollments_seat_key",
        table_name="automation_enrollments",
        postgresql_where=sa.text("ended_at IS NULL AND company_seat IS NOT NULL"),
    )
    op.drop_index("automation_enrollments_contact_idx", table_name="automation_enrollments")
    op.drop_table("automation_enrollments")
    op.drop_index(
        "automation_active_periods_open_key",
        table_name="automation_active_periods",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("automation_active_periods")
    op.drop_index(
        "end_users_stripe_customer_key",
        table_name="end_users",
        postgresql_where=sa.text("stripe_customer_id IS NOT NULL"),
    )
    op.drop_index(
        "end_users_lead_address_key",
        table_name="end_users",
        postgresql_where=sa.text("external_id IS NULL"),
    )
    op.drop_index("end_users_external_id_key", table_name="end_users")
    op.drop_index("end_users_created_idx", table_name="end_users")
    op.drop_index(
        "end_users_company_idx",
        table_name="end_users",
        postgresql_where=sa.text("company_id IS NOT NULL"),
    )
    op.drop_index("end_users_address_idx", table_name="end_users")
    op.drop_table("end_users")
    op.drop_index("automations_key_key", table_name="automations")
    op.drop_table("automations")
    op.drop_table("suppressions")
    op.drop_index("subscriptions_key_key", table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_table("erased_suppressions")
    op.drop_table("csv_imports")
    op.drop_index("companies_external_id_key", table_name="companies")
    op.drop_table("companies")
    op.drop_table("audience_fields")
    op.drop_table("installation")
    op.drop_table("organizations")
    op.execute(sa.schema.DropSequence(sa.Sequence("arrivals")))
    op.execute("DROP FUNCTION uuid7()")
    op.execute("DROP SEQUENCE IF EXISTS uuid7_turns")


def _create_uuid7() -> None:
    if (op.get_bind().dialect.server_version_info or ()) >= (18,):
        op.execute(_UUID7_BUILT_IN)
    else:
        op.execute("CREATE SEQUENCE uuid7_turns CYCLE MAXVALUE 1073741823")
        op.execute(_UUID7_BY_HAND)

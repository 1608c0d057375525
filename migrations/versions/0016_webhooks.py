"""Webhooks out: endpoints, events, deliveries.

Revision ID: 0016
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_QUEUE_STORAGE = {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01}
_KINDS = (
    "'contact.entered', 'contact.refused', 'step.done', 'mail.sent', 'mail.failed', 'mail.opened',"
    " 'mail.clicked', 'mail.replied', 'contact.converted', 'contact.exited', 'webhook.test'"
)


def upgrade() -> None:
    """Begin without endpoints: nothing is written down."""
    op.add_column(
        "organizations",
        sa.Column(
            "webhook_kinds",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    _create_endpoints()
    _create_events()
    _create_deliveries()


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("uuid7()")),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text)),
        sa.Column("series_ids", postgresql.ARRAY(sa.Uuid)),
        sa.Column("with_traits", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_secret_until", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("off_since", _INSTANT),
        sa.Column("off_reason", sa.Text),
        sa.Column("failing_since", _INSTANT),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("resting_until", _INSTANT),
        sa.Column("problem", sa.Text),
        sa.Column("delivered_at", _INSTANT),
        sa.CheckConstraint(
            "off_reason IN ('gone', 'failing', 'operator')",
            name=op.f("webhook_endpoints_off_reason_known"),
        ),
        sa.CheckConstraint(
            "(off_since IS NULL) = (off_reason IS NULL)",
            name=op.f("webhook_endpoints_off_for_a_reason"),
        ),
        sa.CheckConstraint(
            "(old_secret IS NULL) = (old_secret_until IS NULL)",
            name=op.f("webhook_endpoints_old_secret_for_a_while"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("webhook_endpoints_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("webhook_endpoints_pkey")),
    )


def _create_events() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("end_user_id", sa.Uuid),
        sa.Column("automation_id", sa.Uuid),
        sa.Column("enrollment_number", sa.Integer),
        sa.Column("step_id", sa.Uuid),
        sa.Column("recipient_id", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("at", _INSTANT, nullable=False),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("webhook_events_kind_known")),
        sa.CheckConstraint(
            "(kind = 'webhook.test') = (end_user_id IS NULL)"
            " AND (kind = 'webhook.test') = (automation_id IS NULL)",
            name=op.f("webhook_events_about_a_contact"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("webhook_events_org_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f("webhook_events_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("webhook_events_pkey")),
    )
    op.create_index("webhook_events_contact_idx", "webhook_events", ["org_id", "end_user_id"])
    op.create_index("webhook_events_at_idx", "webhook_events", ["org_id", "at"])


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("endpoint_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("end_user_id", sa.Uuid),
        sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'waiting'")),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("lease_expires_at", _INSTANT),
        sa.Column("tried_at", _INSTANT),
        sa.Column("status", sa.Integer),
        sa.Column("problem", sa.Text),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'given_up')",
            name=op.f("webhook_deliveries_state_known"),
        ),
        sa.CheckConstraint(
            "(lease_token IS NULL) = (lease_expires_at IS NULL)"
            " AND (lease_token IS NULL OR state = 'waiting')",
            name=op.f("webhook_deliveries_leased_while_waiting"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "endpoint_id"],
            ["webhook_endpoints.org_id", "webhook_endpoints.id"],
            name=op.f("webhook_deliveries_org_id_endpoint_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "event_id"],
            ["webhook_events.org_id", "webhook_events.id"],
            name=op.f("webhook_deliveries_org_id_event_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "endpoint_id", "event_id", name=op.f("webhook_deliveries_pkey")
        ),
        postgresql_with=_QUEUE_STORAGE,
    )
    op.create_index("webhook_deliveries_event_idx", "webhook_deliveries", ["org_id", "event_id"])
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "webhook_deliveries_due_idx",
        "webhook_deliveries",
        ["org_id", "endpoint_id", "due_at", "event_id"],
        postgresql_where=waiting,
    )
    op.create_index(
        "webhook_deliveries_contact_idx",
        "webhook_deliveries",
        ["org_id", "end_user_id", "endpoint_id", "event_id"],
        postgresql_where=waiting,
    )


def downgrade() -> None:
    """Drop them; what was not delivered yet is lost."""
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_events")
    op.drop_table("webhook_endpoints")
    op.drop_column("organizations", "webhook_kinds")

"""Store why mails bounced, complaints, and the suppressions that operators lifted.

Code that does not know complaints still sees their addresses as suppressed, since they are
unsubscribed too.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_NUMBER = sa.text("nextval('arrivals'::regclass)")
_SUPPRESSIONS = ("suppressions", "erased_suppressions")
_REASONS = (
    "user_unknown",
    "domain_unknown",
    "bad_address",
    "moved",
    "null_mx",
    "mailbox_full",
    "mailbox_disabled",
    "sender_refused",
    "authentication",
    "blocklist",
    "content",
    "policy",
    "rate",
    "relaying",
    "too_large",
    "network",
    "server",
    "unclear",
)


def upgrade() -> None:
    """Add the columns and the tables; existing causes of suppressions stay."""
    for table in _SUPPRESSIONS:
        op.add_column(table, sa.Column("complained_at", _INSTANT))
        op.drop_constraint(op.f(f"{table}_has_a_cause"), table)
        op.create_check_constraint(
            op.f(f"{table}_has_a_cause"),
            table,
            "num_nonnulls(bounced_at, unsubscribed_at, complained_at) > 0",
        )
    op.add_column("messages", sa.Column("relay_id", sa.Text))
    op.create_index(
        "messages_relay_id_idx",
        "messages",
        ["org_id", "relay_id"],
        postgresql_where=sa.text("relay_id IS NOT NULL"),
    )
    op.create_table(
        "bounce_reports",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.BigInteger, nullable=False, server_default=_NUMBER, autoincrement=False),
        sa.Column("recipient_id", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("for_good", sa.Boolean, nullable=False),
        sa.Column("reported_at", _INSTANT, nullable=False),
        sa.Column("forgiven_at", _INSTANT),
        sa.CheckConstraint(
            "reason IN ({})".format(", ".join(f"'{reason}'" for reason in _REASONS)),
            name=op.f("bounce_reports_reason_known"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "recipient_id"],
            ["messages.org_id", "messages.recipient_id"],
            name=op.f("bounce_reports_org_id_recipient_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("bounce_reports_pkey")),
    )
    op.create_index("bounce_reports_mail_idx", "bounce_reports", ["org_id", "recipient_id"])
    op.create_index("bounce_reports_recent_idx", "bounce_reports", ["org_id", "reported_at"])
    op.create_table(
        "audit_log",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.BigInteger, nullable=False, server_default=_NUMBER, autoincrement=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text),
        sa.Column("before", postgresql.JSONB),
        sa.Column("after", postgresql.JSONB),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("audit_log_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("audit_log_pkey")),
    )
    op.create_index("audit_log_at_idx", "audit_log", ["org_id", "at"])


def downgrade() -> None:
    """Drop them, and suppressions that only a complaint caused."""
    op.drop_table("audit_log")
    op.drop_table("bounce_reports")
    op.drop_index("messages_relay_id_idx", "messages")
    op.drop_column("messages", "relay_id")
    for table in _SUPPRESSIONS:
        op.execute(
            sa.text(f"DELETE FROM {table} WHERE bounced_at IS NULL AND unsubscribed_at IS NULL")
        )
        op.drop_constraint(op.f(f"{table}_has_a_cause"), table)
        op.create_check_constraint(
            op.f(f"{table}_has_a_cause"),
            table,
            "bounced_at IS NOT NULL OR unsubscribed_at IS NOT NULL",
        )
        op.drop_column(table, "complained_at")

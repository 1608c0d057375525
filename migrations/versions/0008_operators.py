"""Add operator keys, the origin of operators' changes, and a widget key that is being replaced.

Code that does not know ``old_widget_key`` refuses calls with it: rotate keys when no such worker is
left.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table, without keys."""
    op.create_table(
        "operator_keys",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("uuid7()")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT),
        sa.Column("last_used_at", _INSTANT),
        sa.Column("revoked_at", _INSTANT),
        sa.CheckConstraint(
            "role IN ('viewer', 'editor', 'admin', 'ingest')",
            name=op.f("operator_keys_role_known"),
        ),
        sa.CheckConstraint("name <> ''", name=op.f("operator_keys_name_not_blank")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("operator_keys_hash_whole")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("operator_keys_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("operator_keys_pkey")),
    )
    op.create_index("operator_keys_prefix_key", "operator_keys", ["prefix"], unique=True)
    op.add_column("audit_log", sa.Column("address", sa.Text))
    op.add_column("audit_log", sa.Column("request_id", sa.Text))
    op.add_column("organizations", sa.Column("old_widget_key", sa.Text))
    op.create_unique_constraint(
        op.f("organizations_old_widget_key_key"), "organizations", ["old_widget_key"]
    )


def downgrade() -> None:
    """Drop them; old widget keys stop working."""
    op.drop_constraint(op.f("organizations_old_widget_key_key"), "organizations")
    op.drop_column("organizations", "old_widget_key")
    op.drop_column("audit_log", "request_id")
    op.drop_column("audit_log", "address")
    op.drop_table("operator_keys")

"""Lists as topics: what people see of them, who joins them, and who left them.

Code that does not know this makes plain lists, and notes of nobody that it left one.

Revision ID: 0020
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Begin with plain lists, and with nobody known to have left one."""
    op.add_column("subscriptions", sa.Column("name", sa.Text))
    op.add_column("subscriptions", sa.Column("description", sa.Text))
    for table, name in (("subscriptions", "is_default"), ("organizations", "has_default_lists")):
        op.add_column(
            table,
            sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false")),
        )
    op.create_table(
        "former_members",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("left_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "org_id", "end_user_id", "subscription_id", name="former_members_pkey"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name="former_members_org_id_end_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "subscription_id"],
            ["subscriptions.org_id", "subscriptions.id"],
            name="former_members_org_id_subscription_id_fkey",
        ),
    )


def downgrade() -> None:
    """Forget who left which list, and what people see of lists."""
    op.drop_table("former_members")
    op.drop_column("organizations", "has_default_lists")
    for name in ("is_default", "description", "name"):
        op.drop_column("subscriptions", name)

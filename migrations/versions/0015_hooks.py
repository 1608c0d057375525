"""The secrets by which Stripe signs what it sends to us, and the webhooks that were taken.

Code that does not know these takes no webhooks.

Revision ID: 0015
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin without secrets."""
    op.add_column("organizations", sa.Column("stripe_endpoint_secret", sa.Text))
    op.add_column("organizations", sa.Column("old_stripe_endpoint_secret", sa.Text))
    op.create_table(
        "hook_deliveries",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.LargeBinary, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(name) = 32", name=op.f("hook_deliveries_name_whole")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("hook_deliveries_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "name", name=op.f("hook_deliveries_pkey")),
    )
    op.create_index("hook_deliveries_taken_idx", "hook_deliveries", ["org_id", "taken_at"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("hook_deliveries")
    op.drop_column("organizations", "old_stripe_endpoint_secret")
    op.drop_column("organizations", "stripe_endpoint_secret")

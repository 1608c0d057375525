"""Count Stripe's objects that name no customer.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "stripe_passed_over",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("latest_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "why IN ('thin_event', 'no_customer')", name=op.f("stripe_passed_over_why_known")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("stripe_passed_over_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "why", name=op.f("stripe_passed_over_pkey")),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("stripe_passed_over")

"""Store how many custom fields an organisation has registered, so that no call counts them.

Code that does not know the count registers fields without counting: the bound is then a little
higher.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Count what is registered."""
    op.create_table(
        "audience_field_counts",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("registered", sa.Integer(), nullable=False),
        sa.CheckConstraint("registered > 0", name=op.f("audience_field_counts_counted")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("audience_field_counts_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("audience_field_counts_pkey")),
    )
    op.execute(
        "INSERT INTO audience_field_counts (org_id, registered) "
        "SELECT org_id, count(*) FROM audience_fields GROUP BY org_id"
    )


def downgrade() -> None:
    """Drop the counts."""
    op.drop_table("audience_field_counts")

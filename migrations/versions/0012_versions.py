"""Store how many saves changed a series' definition.

Code that does not know this column saves without counting: a save based on an older version is then
not refused.

Revision ID: 0012
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Count every existing series as version 1."""
    op.add_column(
        "automations", sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1"))
    )


def downgrade() -> None:
    """Drop the count."""
    op.drop_column("automations", "version")

"""What a surge with ``at_most: auto`` was worked out to be.

Code that does not know this takes no series that says ``auto``.

Revision ID: 0037
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0037"
down_revision: str | None = "0030"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin with nothing worked out."""
    op.add_column("automations", sa.Column("surge_at_most", sa.Integer))


def downgrade() -> None:
    """Forget what was worked out."""
    op.drop_column("automations", "surge_at_most")

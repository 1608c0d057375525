"""Keep of a gate that its event opened when its delay would have decided.

Code that does not know early gates cannot read a series that has one, and leaves it alone.

Revision ID: 0034
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0036"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin without open gates."""
    op.add_column("automation_recipients", sa.Column("latest_due", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget which gates are open."""
    op.drop_column("automation_recipients", "latest_due")

"""How many ticks came, and how many passes of re-evaluation began.

Code that does not know these counts none.

Revision ID: 0017
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin at none."""
    for table, counted in (("installation", "ticks"), ("organizations", "passes")):
        zero = sa.text("0")
        op.add_column(table, sa.Column(counted, sa.BigInteger, nullable=False, server_default=zero))


def downgrade() -> None:
    """Forget the counts."""
    op.drop_column("organizations", "passes")
    op.drop_column("installation", "ticks")

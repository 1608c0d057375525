"""Store when operators' last orders about a series and about mail were sent.

Code that does not know these columns changes a series without a note: an older order is then not
refused.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_COLUMNS = (
    ("automations", "status_ordered_at"),
    ("automations", "definition_ordered_at"),
    ("organizations", "sending_ordered_at"),
    ("installation", "sending_ordered_at"),
)


def upgrade() -> None:
    """Add the columns, without notes."""
    for table, column in _COLUMNS:
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop the notes."""
    for table, column in _COLUMNS:
        op.drop_column(table, column)

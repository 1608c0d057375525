"""Which fields of contacts and companies were said when, so that a late call undoes nothing.

What code that does not know it writes is not noted: a late call may then undo it.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_TABLES = ("end_users", "companies")


def upgrade() -> None:
    """Begin with nothing noted."""
    for table in _TABLES:
        op.add_column(
            table,
            sa.Column(
                "field_times",
                postgresql.JSONB(astext_type=sa.Text()),
                server_default=sa.text("'{}'"),
                nullable=False,
            ),
        )


def downgrade() -> None:
    """Forget the order of sending."""
    for table in _TABLES:
        op.drop_column(table, "field_times")

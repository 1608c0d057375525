"""Store when fields of contacts and companies were last sent, so that a late call undoes nothing.

Code that does not know the column notes nothing: a late call may undo what it wrote.

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
    """Add the columns, without notes."""
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
    """Drop the notes."""
    for table in _TABLES:
        op.drop_column(table, "field_times")

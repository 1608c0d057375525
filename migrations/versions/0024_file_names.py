"""Keep what an uploaded file is called, and when it had come whole: it may wait for its start.

Code that does not know these starts an import as soon as its file has come.

Revision ID: 0024
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0029"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin without names."""
    op.add_column("csv_uploads", sa.Column("file_name", sa.Text))
    op.add_column("csv_uploads", sa.Column("received_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("csv_uploads", "received_at")
    op.drop_column("csv_uploads", "file_name")

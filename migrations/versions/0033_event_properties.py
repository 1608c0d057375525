"""Keep with an enrollment the properties of the event that began it.

A signal names its event by id; code that does not know this leaves the id out, and the event is
then looked up by contact, name and instant.

Revision ID: 0033
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0033"
down_revision: str | None = "0028"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin without kept properties."""
    op.add_column("events", sa.Column("left_out", postgresql.ARRAY(sa.Text)))
    op.add_column("signals", sa.Column("event_id", sa.BigInteger))
    op.add_column("automation_enrollments", sa.Column("event_properties", postgresql.JSONB))


def downgrade() -> None:
    """Forget the properties."""
    op.drop_column("automation_enrollments", "event_properties")
    op.drop_column("signals", "event_id")
    op.drop_column("events", "left_out")

"""Quiet hours of an organisation, and rows that are skipped for them.

Code that does not know quiet hours sends in them.

Revision ID: 0026
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0026"
down_revision: str | None = "0035"
branch_labels: str | None = None
depends_on: str | None = None

_BEFORE = ("no_email", "unsubscribed", "condition_not_met", "step_removed")
_NAME = "cleared_recipients_reason_known"


def _allow(*reasons: str) -> None:
    """Allow these reasons; every row that there is was checked before."""
    op.drop_constraint(op.f(_NAME), "cleared_recipients")
    known = ", ".join(f"'{each}'" for each in reasons)
    op.create_check_constraint(op.f(_NAME), "cleared_recipients", f"reason IN ({known})")


def upgrade() -> None:
    """Add the setting; it is not set."""
    op.add_column("organizations", sa.Column("quiet_hours", postgresql.JSONB))
    _allow(*_BEFORE, "quiet_hours")


def downgrade() -> None:
    """Drop the setting."""
    op.execute("DELETE FROM cleared_recipients WHERE reason = 'quiet_hours'")
    _allow(*_BEFORE)
    op.drop_column("organizations", "quiet_hours")

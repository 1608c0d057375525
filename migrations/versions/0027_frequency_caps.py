"""Frequency caps of an organisation, and what counts for them.

Code that does not know caps sends beyond them. What it sent is counted by the kind of its series.

Revision ID: 0027
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0027"
down_revision: str | None = "0024"
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
    """Add the settings, and note from now on which mail counts."""
    op.add_column("organizations", sa.Column("frequency_caps", postgresql.JSONB))
    op.add_column("messages", sa.Column("marketing", sa.Boolean))
    op.add_column(
        "automation_steps",
        sa.Column("ignore_caps", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    _allow(*_BEFORE, "frequency_cap", "quiet_hours")


def downgrade() -> None:
    """Drop them."""
    op.execute("DELETE FROM cleared_recipients WHERE reason = 'frequency_cap'")
    _allow(*_BEFORE, "quiet_hours")
    op.drop_column("automation_steps", "ignore_caps")
    op.drop_column("messages", "marketing")
    op.drop_column("organizations", "frequency_caps")

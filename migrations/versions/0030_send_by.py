"""Until when a step's email may be sent, and when a row was due first.

Code that does not know these sends late, and forgets when a row that it moves was due first.

Revision ID: 0030
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0031"
branch_labels: str | None = None
depends_on: str | None = None

_BEFORE = ("no_email", "unsubscribed", "condition_not_met", "step_removed")
_MOVED = ("frequency_cap", "quiet_hours")
_NAME = "cleared_recipients_reason_known"


def _allow(*reasons: str) -> None:
    """Allow these reasons; every row that there is was checked before."""
    op.drop_constraint(op.f(_NAME), "cleared_recipients")
    known = ", ".join(f"'{each}'" for each in reasons)
    op.create_check_constraint(op.f(_NAME), "cleared_recipients", f"reason IN ({known})")


def upgrade() -> None:
    """Add the columns; nothing is too late."""
    op.add_column("automation_steps", sa.Column("send_by_seconds", sa.BigInteger))
    op.add_column("automation_recipients", sa.Column("first_due", sa.DateTime(timezone=True)))
    _allow(*_BEFORE, "too_late", *_MOVED)


def downgrade() -> None:
    """Drop them."""
    op.execute("DELETE FROM cleared_recipients WHERE reason = 'too_late'")
    _allow(*_BEFORE, *_MOVED)
    op.drop_column("automation_recipients", "first_due")
    op.drop_column("automation_steps", "send_by_seconds")

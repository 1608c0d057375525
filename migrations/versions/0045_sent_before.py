"""Mails that went out before a database was restored.

Code that does not know them sends such a mail again.

Revision ID: 0045
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0045"
down_revision: str | None = "0040"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "sent_before"


def upgrade() -> None:
    """Begin with none."""
    op.create_table(
        _TABLE,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("enrollment_number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("step_id", sa.Uuid, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f(f"{_TABLE}_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "step_id"],
            ["automation_steps.org_id", "automation_steps.id"],
            name=op.f(f"{_TABLE}_org_id_step_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id",
            "end_user_id",
            "automation_id",
            "enrollment_number",
            "step_id",
            name=op.f(f"{_TABLE}_pkey"),
        ),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table(_TABLE)

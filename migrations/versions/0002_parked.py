"""Park signals and rows that failed, until they are retried.

Code that does not know the new columns skips a parked signal as before, and a parked row because of
its ``scheduled_for``.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_TABLES = ("signals", "automation_recipients")


def upgrade() -> None:
    """Add the columns about failures, and small indexes of what is parked."""
    op.add_column("automation_recipients", sa.Column("parked_at", _INSTANT))
    op.add_column("automation_recipients", sa.Column("error", sa.Text))
    op.add_column("automation_recipients", sa.Column("was_due", _INSTANT))
    for table in _TABLES:
        op.add_column(table, sa.Column("retry_at", _INSTANT))
        op.add_column(table, sa.Column("failed_at", _INSTANT))
        op.add_column(
            table, sa.Column("tries", sa.SmallInteger, nullable=False, server_default=sa.text("0"))
        )
        op.create_check_constraint(
            op.f(f"{table}_retried_when_parked"), table, "retry_at IS NULL OR parked_at IS NOT NULL"
        )
        op.create_index(
            f"{table}_parked_idx",
            table,
            ["org_id", "id"],
            postgresql_where=sa.text("parked_at IS NOT NULL"),
        )
    op.create_check_constraint(
        op.f("automation_recipients_parked_for_an_error"),
        "automation_recipients",
        "(parked_at IS NULL) = (error IS NULL) AND (parked_at IS NULL) = (was_due IS NULL)",
    )


def downgrade() -> None:
    """Drop them; what is parked is due again as before."""
    op.execute(
        "UPDATE automation_recipients SET scheduled_for = was_due WHERE parked_at IS NOT NULL"
    )
    for table in _TABLES:
        op.drop_index(f"{table}_parked_idx", table)
        op.drop_constraint(op.f(f"{table}_retried_when_parked"), table)
        for column in ("retry_at", "failed_at", "tries"):
            op.drop_column(table, column)
    op.drop_constraint(op.f("automation_recipients_parked_for_an_error"), "automation_recipients")
    for column in ("parked_at", "error", "was_due"):
        op.drop_column("automation_recipients", column)

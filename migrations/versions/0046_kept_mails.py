"""How long mails are kept, and what is left of those that were deleted.

Organisations that are there keep their mails for good: an upgrade deletes nothing. Code that does
not know these tables knows no reader of a mail that was deleted, and counts it no more.

Revision ID: 0046
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0046"
down_revision: str | None = "0043"
branch_labels: str | None = None
depends_on: str | None = None

_FORMER = "former_mails"
_CLEARED = "cleared_mails"
_COUNTED = (
    *("unknown", "sent", "opened", "clicked", "replied"),
    *("machine_opened", "machine_clicked"),
)


def upgrade() -> None:
    """Let organisations that are there keep all mails, and new ones go by the default."""
    op.create_table(
        _FORMER,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("recipient_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("to_address", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name=op.f(f"{_FORMER}_org_id_end_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "recipient_id", name=op.f(f"{_FORMER}_pkey")),
    )
    op.create_index("former_mails_contact_idx", _FORMER, ["org_id", "end_user_id"])
    op.create_table(
        _CLEARED,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("step_id", sa.Uuid, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTED),
        sa.ForeignKeyConstraint(
            ["org_id", "step_id"],
            ["automation_steps.org_id", "automation_steps.id"],
            name=op.f(f"{_CLEARED}_org_id_step_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "step_id", name=op.f(f"{_CLEARED}_pkey")
        ),
    )
    op.execute("""UPDATE organizations SET keeps = keeps || '{"mails": "forever"}'""")


def downgrade() -> None:
    """Forget how long mails are kept, and whose those were that were deleted."""
    op.execute("UPDATE organizations SET keeps = keeps - 'mails'")
    op.drop_table(_CLEARED)
    op.drop_table(_FORMER)

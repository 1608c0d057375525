"""Patience: contacts whose trigger came before their data wait to be judged again (§23).

Code that does not know this lets nobody wait, and takes no series that asks for it.

Revision ID: 0036
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | None = "0027"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "waiting_entries"


def upgrade() -> None:
    """Begin with nobody who waits."""
    op.create_table(
        _TABLE,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.BigInteger),
        sa.Column("arrival", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "end_user_id", name="waiting_entries_pkey"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name="waiting_entries_org_id_automation_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name="waiting_entries_org_id_end_user_id_fkey",
            ondelete="CASCADE",
        ),
    )
    op.create_index("waiting_entries_contact_idx", _TABLE, ["org_id", "end_user_id"])
    _know("'waiting_for_data', ")


def downgrade() -> None:
    """Forget who waits."""
    _know("")
    op.drop_table(_TABLE)


def _know(last: str) -> None:
    known, table = op.f("enrollment_refusals_code_known"), "enrollment_refusals"
    first = (
        "'series_not_active', 'contact_type', 'audience_mismatch', 'suppressed', 'already_active', "
        "'already_enrolled', 'reenroll_delay', 'not_newly_matching', 'exit_filter', "
        "'company_already_enrolled', 'address_already_enrolled', 'surge_discarded', 'surge_held', "
    )
    op.drop_constraint(known, table, type_="check")
    op.create_check_constraint(
        known, table, f"code IN ({first}{last}'awaiting_evaluation', 'trigger_not_fired')"
    )

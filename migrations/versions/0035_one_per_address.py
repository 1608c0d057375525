"""One contact of each address: a run keeps the address that it began with (guard 11).

Code that does not know this keeps none, and takes no series that asks for it.

Revision ID: 0035
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0033"
branch_labels: str | None = None
depends_on: str | None = None

_RUNS = "automation_enrollments"
_REFUSALS = sa.table("enrollment_refusals", sa.column("code", sa.Text))
_BEFORE = (
    "series_not_active",
    "contact_type",
    "audience_mismatch",
    "suppressed",
    "already_active",
    "already_enrolled",
    "reenroll_delay",
    "not_newly_matching",
    "exit_filter",
    "company_already_enrolled",
    "awaiting_evaluation",
    "trigger_not_fired",
)
_NEW = "address_already_enrolled"


def upgrade() -> None:
    """Begin with runs whose address is not known."""
    op.add_column(_RUNS, sa.Column("address", sa.Text))
    op.add_column(
        _RUNS,
        sa.Column("holds_address", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.create_index(
        "automation_enrollments_address_idx",
        _RUNS,
        ["org_id", "address", "automation_id"],
        postgresql_where=sa.text("holds_address"),
    )
    _know((*_BEFORE[:10], _NEW, *_BEFORE[10:]))


def downgrade() -> None:
    """Forget the addresses, and the refusals for one."""
    op.execute(sa.delete(_REFUSALS).where(_REFUSALS.c.code == _NEW))
    _know(_BEFORE)
    op.drop_index("automation_enrollments_address_idx", _RUNS)
    op.drop_column(_RUNS, "holds_address")
    op.drop_column(_RUNS, "address")


def _know(codes: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{each}'" for each in codes)
    known, table = op.f("enrollment_refusals_code_known"), "enrollment_refusals"
    op.drop_constraint(known, table, type_="check")
    op.create_check_constraint(known, table, f"code IN ({listed})")

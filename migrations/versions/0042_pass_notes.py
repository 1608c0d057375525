"""Passes that look at what may have changed: notes of it, and when the last full pass was.

Code that does not know this writes no notes, and each of its passes is a full one.

Revision ID: 0042
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0042"
down_revision: str | None = "0045"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "pass_notes"
_RUNS = "automation_enrollments"
_INDEX = "automation_enrollments_outside_idx"


def upgrade() -> None:
    """Begin with a full pass: no organisation had one yet."""
    op.create_table(
        _TABLE,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("end_user_id", sa.Uuid),
        sa.Column("company_id", sa.Uuid),
        sa.Column("automation_id", sa.Uuid),
        sa.Column("namesakes", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("taken_by", sa.BigInteger),
        sa.CheckConstraint(
            "num_nonnulls(end_user_id, company_id, automation_id, since) > 0",
            name=op.f(f"{_TABLE}_says_what"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f(f"{_TABLE}_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f(f"{_TABLE}_pkey")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.01},
    )
    op.create_index(f"{_TABLE}_contact_idx", _TABLE, ["org_id", "taken_by", "end_user_id"])
    op.create_index(
        _INDEX,
        _RUNS,
        ["org_id", "automation_id", "created_at"],
        postgresql_where=sa.text("left_audience OR outside_by_definition"),
    )
    # Last, since nobody reads the organisations until the commit.
    op.add_column("organizations", sa.Column("passed_fully_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget the notes: every pass is a full one again."""
    op.drop_index(_INDEX, _RUNS)
    op.drop_table(_TABLE)
    op.drop_column("organizations", "passed_fully_at")

"""Keep each version of a series' definition, and with an enrollment the version that it began in.

Code that does not know these saves without keeping the version: the next save by this code, or a
look at the history, fills in what is there then. Enrollments without a version began before, or by
such code.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin without a history."""
    op.create_table(
        "automation_versions",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_by", sa.Text),
        sa.Column("via", sa.Text),
        sa.Column("definition", postgresql.JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f("automation_versions_org_id_automation_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "version", name=op.f("automation_versions_pkey")
        ),
    )
    op.add_column("automation_enrollments", sa.Column("series_version", sa.Integer))


def downgrade() -> None:
    """Forget the history."""
    op.drop_column("automation_enrollments", "series_version")
    op.drop_table("automation_versions")

"""Releases at a pace: which are under way, and how many entered by them lately.

Code that does not know this releases at once, and leaves a release at a pace to code that does.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0038"
down_revision: str | None = "0037"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "released_entries"


def upgrade() -> None:
    """Begin with no release under way."""
    op.add_column("automations", sa.Column("release_at_most", sa.Integer))
    op.add_column("automations", sa.Column("release_within_seconds", sa.BigInteger))
    op.create_check_constraint(
        op.f("automations_pace_is_whole"),
        "automations",
        "(release_at_most IS NULL) = (release_within_seconds IS NULL)",
    )
    op.create_table(
        _TABLE,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f(f"{_TABLE}_org_id_automation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "began_at", "id", name=op.f(f"{_TABLE}_pkey")
        ),
    )


def downgrade() -> None:
    """Forget which are under way: whoever is held stays so."""
    op.drop_table(_TABLE)
    op.drop_constraint(op.f("automations_pace_is_whole"), "automations", type_="check")
    op.drop_column("automations", "release_within_seconds")
    op.drop_column("automations", "release_at_most")

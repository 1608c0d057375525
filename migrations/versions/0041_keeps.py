"""How long an organisation keeps histories, and from when on they are complete.

Organisations that are there keep what they have for good: an upgrade deletes nothing. What was
deleted after 30 days before still is.

Revision ID: 0041
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0041"
down_revision: str | None = "0042"
branch_labels: str | None = None
depends_on: str | None = None

_KEPT_SO_FAR = ("events", "steps", "refusals", "signals", "audit")


def upgrade() -> None:
    """Let organisations that are there keep everything, and new ones go by the defaults."""
    op.add_column(
        "organizations",
        sa.Column("keeps", JSONB, nullable=False, server_default=sa.text("'{}'")),
    )
    kept = ", ".join(f"'{name}', 'forever'" for name in _KEPT_SO_FAR)
    op.execute(f"UPDATE organizations SET keeps = jsonb_build_object({kept})")
    op.create_table(
        "histories",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("complete_since", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("cursor", JSONB),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("histories_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("histories_pkey")),
    )


def downgrade() -> None:
    """Forget how long what is kept: from now on everything is."""
    op.drop_table("histories")
    op.drop_column("organizations", "keeps")

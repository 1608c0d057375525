"""Add sessions of the panel, and links that sign in.

Code that does not know them has no panel.

Revision ID: 0022
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables, which are empty."""
    op.create_table(
        "operator_sessions",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("uuid7()")),
        sa.Column("key_id", sa.Uuid, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("operator_sessions_hash_whole")),
        sa.ForeignKeyConstraint(
            ["org_id", "key_id"],
            ["operator_keys.org_id", "operator_keys.id"],
            name=op.f("operator_sessions_org_id_key_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("operator_sessions_pkey")),
    )
    op.create_index("operator_sessions_hash_key", "operator_sessions", ["hash"], unique=True)
    op.create_table(
        "sign_in_links",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("uuid7()")),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("sign_in_links_hash_whole")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("sign_in_links_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("sign_in_links_pkey")),
    )
    op.create_index("sign_in_links_hash_key", "sign_in_links", ["hash"], unique=True)


def downgrade() -> None:
    """Drop them; everybody is signed out."""
    op.drop_table("sign_in_links")
    op.drop_table("operator_sessions")

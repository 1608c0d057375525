"""The directory: the cells of an installation, and which organisation lives in which.

Both tables are empty where there is one database. Code that does not know them works with the
database that its settings name.

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0039"
down_revision: str | None = "0038"
branch_labels: str | None = None
depends_on: str | None = None

_CELLS = "cells"
_ORGANIZATIONS = "cell_organizations"


def upgrade() -> None:
    """Begin without a cell."""
    op.create_table(
        _CELLS,
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.Column("most_organizations", sa.Integer),
        sa.Column(
            "added_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.CheckConstraint("state IN ('open', 'draining')", name=op.f(f"{_CELLS}_state_known")),
        sa.CheckConstraint("most_organizations > 0", name=op.f(f"{_CELLS}_takes_some")),
        sa.PrimaryKeyConstraint("name", name=op.f(f"{_CELLS}_pkey")),
        sa.UniqueConstraint("identity", name=op.f(f"{_CELLS}_identity_key")),
    )
    op.create_table(
        _ORGANIZATIONS,
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid),
        sa.Column("widget_key", sa.Text),
        sa.Column("old_widget_key", sa.Text),
        sa.Column(
            "change",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.CheckConstraint(
            "(id IS NULL) = (widget_key IS NULL)", name=op.f(f"{_ORGANIZATIONS}_made_or_reserved")
        ),
        sa.ForeignKeyConstraint(["cell"], ["cells.name"], name=op.f(f"{_ORGANIZATIONS}_cell_fkey")),
        sa.PrimaryKeyConstraint("key", name=op.f(f"{_ORGANIZATIONS}_pkey")),
        sa.UniqueConstraint("id", name=op.f(f"{_ORGANIZATIONS}_id_key")),
        sa.UniqueConstraint("widget_key", name=op.f(f"{_ORGANIZATIONS}_widget_key_key")),
        sa.UniqueConstraint("old_widget_key", name=op.f(f"{_ORGANIZATIONS}_old_widget_key_key")),
    )
    for column in ("cell", "change"):
        op.create_index(op.f(f"{_ORGANIZATIONS}_{column}_idx"), _ORGANIZATIONS, [column])


def downgrade() -> None:
    """Forget the cells; the organisations stay where they are."""
    op.drop_table(_ORGANIZATIONS)
    op.drop_table(_CELLS)

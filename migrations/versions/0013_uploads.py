"""Store files that came over HTTP, in chunks, and how far their import is.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))


def _listing(name: str) -> sa.Column[object]:
    empty = sa.text("'[]'")
    return sa.Column(name, postgresql.JSONB, nullable=False, server_default=empty)


def upgrade() -> None:
    """Add the tables, without files."""
    op.create_table(
        "csv_uploads",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False, server_default=sa.text("uuid7()")),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("options", postgresql.JSONB, nullable=False),
        _count("bytes"),
        _count("bytes_read"),
        sa.Column("position", sa.Text),
        _count("line"),
        _count("rows_done"),
        _count("created"),
        _count("updated"),
        _count("bad"),
        _count("bad_cells"),
        _listing("errors"),
        _listing("cell_errors"),
        _listing("warnings"),
        sa.Column("refused", postgresql.JSONB),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("touched_at", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.CheckConstraint(
            "state IN ('uploading', 'running', 'finished', 'failed')",
            name=op.f("csv_uploads_state_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('finished', 'failed')) = (finished_at IS NOT NULL)",
            name=op.f("csv_uploads_finished_at_an_instant"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("csv_uploads_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("csv_uploads_pkey")),
    )
    op.create_table(
        "csv_chunks",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("upload_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "upload_id"],
            ["csv_uploads.org_id", "csv_uploads.id"],
            name=op.f("csv_chunks_org_id_upload_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "upload_id", "number", name=op.f("csv_chunks_pkey")),
    )


def downgrade() -> None:
    """Drop them; imports that are under way are lost."""
    op.drop_table("csv_chunks")
    op.drop_table("csv_uploads")

"""What machines open and click, apart from people; links that were followed lately.

Code that does not know these columns notes no machine, as before.

Revision ID: 0021
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_QUEUE_STORAGE = {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.01}
_COLUMNS = ("machine_opened_at", "machine_clicked_at")


def upgrade() -> None:
    """Begin without either."""
    for name in _COLUMNS:
        op.add_column("messages", sa.Column(name, _INSTANT))
    op.create_table(
        "followed_links",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("recipient_id", sa.BigInteger, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("noted_at", _INSTANT, nullable=False),
        sa.Column("machine", sa.Boolean, nullable=False),
        sa.Column("is_click", sa.Boolean, nullable=False),
        sa.Column("judged", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.ForeignKeyConstraint(
            ["org_id", "recipient_id"],
            ["messages.org_id", "messages.recipient_id"],
            name=op.f("followed_links_org_id_recipient_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("followed_links_pkey")),
        postgresql_with=_QUEUE_STORAGE,
    )
    op.create_index("followed_links_mail_idx", "followed_links", ["org_id", "recipient_id", "at"])
    op.create_index(
        "followed_links_waiting_idx",
        "followed_links",
        ["org_id", "noted_at"],
        postgresql_where=sa.text("NOT judged"),
    )
    op.create_index(
        "followed_links_judged_idx",
        "followed_links",
        ["org_id", "noted_at"],
        postgresql_where=sa.text("judged"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_table("followed_links")
    for name in reversed(_COLUMNS):
        op.drop_column("messages", name)

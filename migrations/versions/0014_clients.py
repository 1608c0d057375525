"""What is kept of other products' clients: messages taken, anonymous traits, waiting calls.

Revision ID: 0014
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)


def _of_an_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org_id"], ["organizations.id"], name=op.f(f"{table}_org_id_fkey")
    )


def upgrade() -> None:
    """Begin without any."""
    op.create_table(
        "taken_messages",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("body", sa.Uuid),
        sa.Column("taken_at", _INSTANT, nullable=False),
        _of_an_organization("taken_messages"),
        sa.PrimaryKeyConstraint("org_id", "key", name=op.f("taken_messages_pkey")),
    )
    op.create_index("taken_messages_taken_idx", "taken_messages", ["org_id", "taken_at"])
    op.create_table(
        "anonymous_traits",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("traits", postgresql.JSONB, nullable=False),
        sa.Column("said_at", _INSTANT, nullable=False),
        sa.CheckConstraint("session_id <> ''", name=op.f("anonymous_traits_session_named")),
        _of_an_organization("anonymous_traits"),
        sa.PrimaryKeyConstraint("org_id", "session_id", name=op.f("anonymous_traits_pkey")),
    )
    op.create_index("anonymous_traits_said_idx", "anonymous_traits", ["org_id", "said_at"])
    op.create_table(
        "waiting_calls",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("fields", postgresql.JSONB, nullable=False),
        sa.Column("came_at", _INSTANT, nullable=False),
        sa.CheckConstraint("user_id <> ''", name=op.f("waiting_calls_user_named")),
        sa.CheckConstraint(
            "door IN ('track', 'companies.identify', 'sessions.link')",
            name=op.f("waiting_calls_door_known"),
        ),
        _of_an_organization("waiting_calls"),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("waiting_calls_pkey")),
    )
    op.create_index("waiting_calls_user_idx", "waiting_calls", ["org_id", "user_id", "id"])
    op.create_index("waiting_calls_came_idx", "waiting_calls", ["org_id", "came_at"])


def downgrade() -> None:
    """Drop them; what waits is lost."""
    op.drop_table("waiting_calls")
    op.drop_table("anonymous_traits")
    op.drop_table("taken_messages")

"""Moves of organisations to another database: how far each has come, and what changed meanwhile.

Code that does not know them writes an organisation's rows like any other: the triggers of a move
are on the tables only while it is under way.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0040"
down_revision: str | None = "0039"
branch_labels: str | None = None
depends_on: str | None = None

_MOVES = "moves"
_ROWS = "moved_rows"
_STATES = "'leaving', 'cancelled', 'moved', 'arriving'"

#: Arguments: the two numbers of the move's lock, the organisation, the table, and the columns of
#: its primary key. A transaction that holds the lock has written before the switch, or waits.
_NOTE = """
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mover uuid := TG_ARGV[2];
    went_to text;
    changed jsonb[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::integer, TG_ARGV[1]::integer);
    SELECT cell INTO went_to FROM moves WHERE org_id = mover AND state = 'moved';
    IF FOUND THEN
        RAISE EXCEPTION 'the organisation lives in another cell now'
            USING ERRCODE = 'HM001', DETAIL = went_to;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        changed := changed || to_jsonb(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        changed := changed || to_jsonb(NEW);
    END IF;
    INSERT INTO moved_rows (org_id, table_name, key)
    SELECT DISTINCT mover, TG_ARGV[3],
        (SELECT jsonb_object_agg(name, version -> name) FROM unnest(TG_ARGV[4:]) AS name)
    FROM unnest(changed) AS version;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Begin with no move."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        _MOVES,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("org_key", sa.Text, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("copied", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("widget_key", sa.Text),
        sa.Column("old_widget_key", sa.Text),
        sa.Column("organization", postgresql.JSONB),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("switched_at", instant),
        sa.Column("finished_at", instant),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f(f"{_MOVES}_state_known")),
        sa.CheckConstraint(
            "(state = 'moved') = (switched_at IS NOT NULL)", name=op.f(f"{_MOVES}_switched_once")
        ),
        sa.CheckConstraint(
            "finished_at IS NULL OR state = 'moved'", name=op.f(f"{_MOVES}_finished_when_moved")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f(f"{_MOVES}_pkey")),
    )
    op.create_table(
        _ROWS,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id",
            sa.BigInteger,
            nullable=False,
            autoincrement=False,
            server_default=sa.text("nextval('arrivals'::regclass)"),
        ),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("key", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f(f"{_ROWS}_pkey")),
    )
    op.execute(_NOTE)


def downgrade() -> None:
    """Forget where organisations went; refused while one is under way, whose triggers need it."""
    op.execute("DROP FUNCTION note_move()")
    op.drop_table(_ROWS)
    op.drop_table(_MOVES)

"""Partition ``events`` by the month of arrival; what is there becomes the first partition.

No row is written anew. First, while everybody goes on working, it is made sure that all rows are
from before a cut, a month ahead at the least, and a key with the instant in it is built. Then the
names change in one short transaction. Code that does not know this reads and writes as before;
it would be wrong about ``ctid`` only once rows are in two partitions, which is after the cut.

Revision ID: 0043
Revises: 0041
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision: str = "0043"
down_revision: str | None = "0041"
branch_labels: str | None = None
depends_on: str | None = None

_LIKE = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
_KEYS = """
    ALTER TABLE events
        ADD CONSTRAINT events_org_id_fkey FOREIGN KEY (org_id) REFERENCES organizations (id),
        ADD CONSTRAINT events_org_id_end_user_id_fkey FOREIGN KEY (org_id, end_user_id)
            REFERENCES end_users (org_id, id) ON DELETE CASCADE
"""
_INDEXES = (
    """
    CREATE INDEX events_contact_idx ON events (org_id, end_user_id, name, happened_at, id)
    WHERE end_user_id IS NOT NULL
    """,
    "CREATE INDEX events_anonymous_idx ON events (org_id, session_id) WHERE end_user_id IS NULL",
)


def _month(after: datetime, months: int) -> datetime:
    years, month = divmod(after.month - 1 + months, 12)
    return datetime(after.year + years, month + 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Make the table that is there the partition of all that came before the cut."""
    connection = op.get_bind()
    now = connection.scalar(sa.text("SELECT CAST(clock_timestamp() AS timestamptz)"))
    cut = _month(now.astimezone(UTC), 2)
    before = f"events_before_{cut:%Y_%m}"
    if connection.scalar(sa.text("SELECT EXISTS (SELECT FROM events)")):
        with op.get_context().autocommit_block():
            _prepare(cut)
    else:
        op.execute(f"ALTER TABLE events ADD CONSTRAINT events_cut CHECK (created_at < '{cut}')")
        op.execute("CREATE UNIQUE INDEX events_by_month ON events (org_id, id, created_at)")
    op.execute("LOCK TABLE organizations, end_users, events IN ACCESS EXCLUSIVE MODE")
    op.execute(f"ALTER TABLE events RENAME TO {before}")
    op.execute(f"ALTER TABLE {before} DROP CONSTRAINT events_pkey")
    op.execute(
        f"ALTER TABLE {before} ADD CONSTRAINT {before}_pkey PRIMARY KEY USING INDEX events_by_month"
    )
    for name in ("contact", "anonymous"):
        op.execute(f"ALTER INDEX events_{name}_idx RENAME TO {before}_{name}_idx")
    op.execute(f"CREATE TABLE events (LIKE {before} {_LIKE}) PARTITION BY RANGE (created_at)")
    op.execute("ALTER TABLE events DROP CONSTRAINT events_cut")
    op.execute("ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (org_id, id, created_at)")
    op.execute(_KEYS)
    for index in _INDEXES:
        op.execute(index)
    op.execute(
        f"ALTER TABLE events ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ('{cut}')"
    )
    op.execute(f"ALTER TABLE {before} DROP CONSTRAINT events_cut")
    op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")


def _prepare(cut: datetime) -> None:
    """Do what takes long, without a lock that anybody waits for; again if it was interrupted."""
    op.execute("SET statement_timeout = 0")
    op.execute("ALTER TABLE events DROP CONSTRAINT IF EXISTS events_cut")
    op.execute(
        f"ALTER TABLE events ADD CONSTRAINT events_cut CHECK (created_at < '{cut}') NOT VALID"
    )
    op.execute("ALTER TABLE events VALIDATE CONSTRAINT events_cut")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS events_by_month")
    op.execute(
        "CREATE UNIQUE INDEX CONCURRENTLY events_by_month ON events (org_id, id, created_at)"
    )


def downgrade() -> None:
    """Write all events into one table again, which takes a while where there are many."""
    op.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
    op.execute(f"CREATE TABLE events_whole (LIKE events {_LIKE})")
    op.execute("INSERT INTO events_whole SELECT * FROM events")
    op.execute("DROP TABLE events")
    op.execute("ALTER TABLE events_whole RENAME TO events")
    op.execute("ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (org_id, id)")
    op.execute("ALTER TABLE events ALTER created_at SET NOT NULL")
    op.execute(_KEYS)
    for index in _INDEXES:
        op.execute(index)

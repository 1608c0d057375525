"""How long answers under idempotency keys are kept; an index by their age.

Organisations that are there keep theirs for good: an upgrade deletes nothing. The index is built
while everybody works.

Revision ID: 0047
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0047"
down_revision: str | None = "0046"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "idempotency_keys"
_INDEX = "idempotency_keys_age_idx"
_COLUMNS = ["org_id", "created_at"]


def upgrade() -> None:
    """Let organisations that are there keep all answers, and new ones go by the default."""
    if op.get_bind().scalar(sa.text(f"SELECT EXISTS (SELECT FROM {_TABLE})")):
        with op.get_context().autocommit_block():
            op.execute("SET statement_timeout = 0")
            op.drop_index(_INDEX, _TABLE, postgresql_concurrently=True, if_exists=True)
            op.create_index(_INDEX, _TABLE, _COLUMNS, postgresql_concurrently=True)
    else:
        op.create_index(_INDEX, _TABLE, _COLUMNS)
    op.execute("""UPDATE organizations SET keeps = keeps || '{"keys": "forever"}'""")


def downgrade() -> None:
    """Forget how long answers are kept: from now on all are."""
    op.execute("UPDATE organizations SET keeps = keeps - 'keys'")
    op.drop_index(_INDEX, _TABLE)

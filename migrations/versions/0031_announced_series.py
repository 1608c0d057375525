"""Which series filters name: where a contact stands in them is announced as a change.

Code that does not know this announces nothing; a re-evaluation finds what it missed.

Revision ID: 0031
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0031"
down_revision: str | None = "0034"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Begin with none: no filter could name a series before."""
    op.add_column(
        "organizations",
        sa.Column(
            "announced_series", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")
        ),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_column("organizations", "announced_series")

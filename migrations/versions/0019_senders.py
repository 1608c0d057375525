"""Who sends an organisation's mail: name, address, where replies and reports go.

Code that does not know these columns sends as the installation.

Revision ID: 0019
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None

_COLUMNS = ("mail_from_name", "mail_from_address", "mail_reply_to", "mail_bounce_domain")


def upgrade() -> None:
    """Add the settings; none is set."""
    for name in _COLUMNS:
        op.add_column("organizations", sa.Column(name, sa.Text))


def downgrade() -> None:
    """Drop the settings."""
    for name in reversed(_COLUMNS):
        op.drop_column("organizations", name)

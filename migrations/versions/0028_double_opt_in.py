"""Double opt-in: who has yet to confirm a list, and the mails that ask for it.

Code that does not know this puts whoever subscribes on the list at once.

Revision ID: 0028
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0023"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_STATES = "state IN ('waiting', 'intended', 'sent', 'failed', 'unknown', 'dropped')"


def upgrade() -> None:
    """Begin with lists that are joined at once."""
    for table, name in (("subscriptions", "double_opt_in"), ("organizations", "asks_to_confirm")):
        op.add_column(
            table,
            sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false")),
        )
    op.create_check_constraint(
        op.f("subscriptions_joined_or_confirmed"),
        "subscriptions",
        "NOT (is_default AND double_opt_in)",
    )
    _create_pending()
    _create_confirmations()


def _create_pending() -> None:
    op.create_table(
        "pending_members",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "org_id", "end_user_id", "subscription_id", name="pending_members_pkey"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name="pending_members_org_id_end_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "subscription_id"],
            ["subscriptions.org_id", "subscriptions.id"],
            name="pending_members_org_id_subscription_id_fkey",
        ),
    )
    op.create_index("pending_members_list_idx", "pending_members", ["org_id", "subscription_id"])
    op.create_index("pending_members_asked_idx", "pending_members", ["org_id", "asked_at"])


def _create_confirmations() -> None:
    op.create_table(
        "confirmations",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column(
            "id", sa.BigInteger, nullable=False, server_default=sa.text("nextval('arrivals')")
        ),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("message_id", sa.Text),
        sa.Column("intended_at", _INSTANT),
        sa.Column("sent_at", _INSTANT),
        sa.Column("error", sa.Text),
        sa.CheckConstraint(_STATES, name=op.f("confirmations_state_known")),
        sa.CheckConstraint("address = lower(address)", name=op.f("confirmations_address_lowered")),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)",
            name=op.f("confirmations_sent_at_an_instant"),
        ),
        sa.CheckConstraint(
            "state <> 'intended' OR intended_at IS NOT NULL",
            name=op.f("confirmations_intended_at_an_instant"),
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR error IS NOT NULL",
            name=op.f("confirmations_failed_for_an_error"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="confirmations_pkey"),
        sa.ForeignKeyConstraint(
            ["org_id", "end_user_id"],
            ["end_users.org_id", "end_users.id"],
            name="confirmations_org_id_end_user_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "subscription_id"],
            ["subscriptions.org_id", "subscriptions.id"],
            name="confirmations_org_id_subscription_id_fkey",
        ),
    )
    op.create_index("confirmations_contact_idx", "confirmations", ["org_id", "end_user_id"])
    op.create_index(
        "confirmations_day_key",
        "confirmations",
        ["org_id", "address", "subscription_id", "day"],
        unique=True,
    )
    op.create_index(
        "confirmations_waiting_idx",
        "confirmations",
        ["org_id", "due_at"],
        postgresql_where=sa.text("state IN ('waiting', 'intended')"),
    )


def downgrade() -> None:
    """Forget who has yet to confirm a list."""
    for table in ("confirmations", "pending_members"):
        op.drop_table(table)
    op.drop_constraint(op.f("subscriptions_joined_or_confirmed"), "subscriptions", type_="check")
    op.drop_column("organizations", "asks_to_confirm")
    op.drop_column("subscriptions", "double_opt_in")

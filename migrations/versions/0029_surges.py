"""Surges: who is held, and how many entered lately.

Code that does not know this lets everybody enter whose series has no surge; it does not read one
that has.

Revision ID: 0029
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0029"
down_revision: str | None = "0026"
branch_labels: str | None = None
depends_on: str | None = None

_INSTANT = sa.DateTime(timezone=True)
_CODES = (
    "series_not_active",
    "contact_type",
    "audience_mismatch",
    "suppressed",
    "already_active",
    "already_enrolled",
    "reenroll_delay",
    "not_newly_matching",
    "exit_filter",
    "company_already_enrolled",
    "address_already_enrolled",
    "awaiting_evaluation",
    "trigger_not_fired",
)
_NEW = ("surge_discarded", "surge_held")


def upgrade() -> None:
    """Begin with series that have no surge."""
    op.add_column(
        "automations",
        sa.Column("has_surges", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    _allow_codes((*_CODES[:-2], *_NEW, *_CODES[-2:]))
    _create_entries()
    _create_held()
    _create_discarded()


def _allow_codes(codes: tuple[str, ...]) -> None:
    name, table = op.f("enrollment_refusals_code_known"), "enrollment_refusals"
    op.drop_constraint(name, table, type_="check")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(name, table, f"code IN ({listed})")


def _arrival() -> sa.Column[int]:
    return sa.Column(
        "id",
        sa.BigInteger,
        nullable=False,
        autoincrement=False,
        server_default=sa.text("nextval('arrivals'::regclass)"),
    )


def _keys(table: str, *, contact: bool) -> list[sa.ForeignKeyConstraint]:
    keys = [
        sa.ForeignKeyConstraint(
            ["org_id", "automation_id"],
            ["automations.org_id", "automations.id"],
            name=op.f(f"{table}_org_id_automation_id_fkey"),
        )
    ]
    if contact:
        keys.append(
            sa.ForeignKeyConstraint(
                ["org_id", "end_user_id"],
                ["end_users.org_id", "end_users.id"],
                name=op.f(f"{table}_org_id_end_user_id_fkey"),
                ondelete="CASCADE",
            )
        )
    return keys


def _create_entries() -> None:
    op.create_table(
        "surge_entries",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("began_at", _INSTANT, nullable=False),
        _arrival(),
        sa.Column("entries", sa.Integer, nullable=False),
        *_keys("surge_entries", contact=False),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "began_at", "id", name=op.f("surge_entries_pkey")
        ),
    )


def _create_held() -> None:
    op.create_table(
        "held_entries",
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        _arrival(),
        sa.Column("held_at", _INSTANT, nullable=False),
        sa.Column("event_id", sa.BigInteger),
        *_keys("held_entries", contact=True),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "end_user_id", name=op.f("held_entries_pkey")
        ),
    )
    op.create_index("held_entries_order_idx", "held_entries", ["org_id", "automation_id", "id"])
    op.create_index("held_entries_contact_idx", "held_entries", ["org_id", "end_user_id"])


def _create_discarded() -> None:
    table = "discarded_entries"
    op.create_table(
        table,
        sa.Column("org_id", sa.Uuid, nullable=False),
        sa.Column("automation_id", sa.Uuid, nullable=False),
        sa.Column("end_user_id", sa.Uuid, nullable=False),
        sa.Column("discarded_at", _INSTANT, nullable=False),
        sa.Column(
            "outside_by_definition", sa.Boolean, nullable=False, server_default=sa.text("false")
        ),
        *_keys(table, contact=True),
        sa.PrimaryKeyConstraint(
            "org_id", "automation_id", "end_user_id", name=op.f(f"{table}_pkey")
        ),
    )
    op.create_index("discarded_entries_contact_idx", table, ["org_id", "end_user_id"])


def downgrade() -> None:
    """Forget who is held."""
    for table in ("discarded_entries", "held_entries", "surge_entries"):
        op.drop_table(table)
    op.execute("DELETE FROM enrollment_refusals WHERE code IN ('surge_discarded', 'surge_held')")
    _allow_codes(_CODES)
    op.drop_column("automations", "has_surges")

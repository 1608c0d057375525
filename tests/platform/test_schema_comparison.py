"""`make check` compares tables and migrations in everything that PostgreSQL knows of them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from migrations.comparison import differences


@pytest.fixture
def migrated(database: Engine) -> Iterator[Connection]:
    """A connection to a migrated database of the test's own."""
    engine = create_engine(database.url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def test_the_migrations_make_the_tables_of_the_code(migrated: Connection) -> None:
    """Nothing differs, and looking changes nothing."""
    assert differences(migrated) == []
    assert differences(migrated) == []


def test_a_difference_says_what_both_have(migrated: Connection) -> None:
    """The index that the code declares stands beside the one that the migrations made."""
    _change(
        migrated,
        "DROP INDEX end_users_external_id_key",
        "CREATE INDEX end_users_external_id_key ON end_users (external_id, org_id)",
    )
    assert differences(migrated) == [
        (
            "index end_users.end_users_external_id_key\n"
            "    the tables say:      CREATE UNIQUE INDEX end_users_external_id_key ON end_users "
            "USING btree (org_id, external_id)\n"
            "    the migrations make: CREATE INDEX end_users_external_id_key ON end_users "
            "USING btree (external_id, org_id)"
        )
    ]


_REASONS = "automation_enrollments_exit_reason_known"
_SEAT = "automation_enrollments_seat_key"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        pytest.param(
            [
                f"ALTER TABLE automation_enrollments DROP CONSTRAINT {_REASONS}",
                (
                    f"ALTER TABLE automation_enrollments ADD CONSTRAINT {_REASONS} "
                    "CHECK (exit_reason IN ('completed', 'replied'))"
                ),
            ],
            f"constraint automation_enrollments.{_REASONS}",
            id="a reason that a CHECK lacks",
        ),
        pytest.param(
            [f"ALTER TABLE automation_enrollments DROP CONSTRAINT {_REASONS}"],
            f"constraint automation_enrollments.{_REASONS}",
            id="a CHECK that is missing",
        ),
        pytest.param(
            ["ALTER TABLE events ADD CONSTRAINT events_short CHECK (name < 'z')"],
            "constraint events.events_short",
            id="a CHECK too many",
        ),
        pytest.param(
            [
                f"DROP INDEX {_SEAT}",
                (
                    f"CREATE UNIQUE INDEX {_SEAT} ON automation_enrollments "
                    "(org_id, company_seat, automation_id) WHERE company_seat IS NOT NULL"
                ),
            ],
            f"index automation_enrollments.{_SEAT}",
            id="an index's predicate",
        ),
        pytest.param(
            [
                "DROP INDEX signals_waiting_idx",
                (
                    "CREATE INDEX signals_waiting_idx ON signals (org_id, id DESC) "
                    "WHERE parked_at IS NULL"
                ),
            ],
            "index signals.signals_waiting_idx",
            id="an index's order",
        ),
        pytest.param(
            [
                "DROP INDEX end_users_address_idx",
                (
                    "CREATE INDEX end_users_address_idx ON end_users "
                    "(org_id, address text_pattern_ops)"
                ),
            ],
            "index end_users.end_users_address_idx",
            id="an index's operator class",
        ),
        pytest.param(
            ["CREATE INDEX events_name_idx ON events (name)"],
            "index events.events_name_idx",
            id="an index too many",
        ),
        pytest.param(
            ["ALTER TABLE automations ALTER status SET DEFAULT 'active'"],
            "column automations.status",
            id="a default",
        ),
        pytest.param(
            ["ALTER TABLE end_users ALTER id DROP DEFAULT"],
            "column end_users.id",
            id="a default that is missing",
        ),
        pytest.param(
            ["ALTER TABLE events ALTER name DROP NOT NULL"],
            "column events.name",
            id="NOT NULL",
        ),
        pytest.param(
            ["ALTER TABLE automation_enrollments ALTER number TYPE bigint"],
            "column automation_enrollments.number",
            id="a type",
        ),
        pytest.param(
            ["ALTER TABLE automation_recipients RESET (fillfactor)"],
            "storage parameters of automation_recipients",
            id="a storage parameter",
        ),
        pytest.param(
            [
                (
                    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql "
                    "AS 'BEGIN RETURN NEW; END'"
                ),
                "CREATE TRIGGER watch BEFORE INSERT ON events EXECUTE FUNCTION nothing()",
            ],
            "trigger events.watch",
            id="a trigger",
        ),
        pytest.param(
            ["ALTER SEQUENCE arrivals CACHE 20"], "sequence arrivals", id="a sequence's cache"
        ),
        pytest.param(
            ["ALTER TABLE audit_log SET UNLOGGED"],
            "table audit_log",
            id="a table that a crash empties",
        ),
    ],
)
def test_each_kind_of_difference_is_seen(
    migrated: Connection, changes: list[str], name: str
) -> None:
    """Each difference between migration and code is named, and nothing else."""
    _change(migrated, *changes)
    assert [difference.partition("\n")[0] for difference in differences(migrated)] == [name]


def _change(connection: Connection, *statements: str) -> None:
    with connection.begin():
        for statement in statements:
            connection.execute(text(statement))

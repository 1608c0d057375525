"""The schema: up from nothing, down to nothing, and only once at a time."""

from sqlalchemy import NullPool, create_engine, text

from halo_engine import migrate
from migrations.comparison import differences
from tests.platform.commands import start_halo

_RELATIONS = text(
    "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
    "UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
    "UNION ALL SELECT typname::text FROM pg_type WHERE typnamespace = 'public'::regnamespace"
)


def test_up_from_nothing_and_down_to_nothing(empty_database: str) -> None:
    """Migrating up makes the tables of the code; down leaves Alembic's own table alone."""
    assert migrate.current_and_head(empty_database) == (None, migrate.head_revision())
    migrate.upgrade(empty_database)
    head = migrate.head_revision()
    assert migrate.current_and_head(empty_database) == (head, head)
    assert _differences(empty_database) == []
    migrate.downgrade(empty_database)
    assert _relations(empty_database) == {
        "alembic_version",
        "_alembic_version",
        "alembic_version_pkc",
    }
    migrate.upgrade(empty_database)
    assert _differences(empty_database) == []


def test_two_at_once_wait_for_each_other(empty_database: str) -> None:
    """If two `halo migrate` start together, one does the work and the other finds it done."""
    processes = [start_halo("migrate", HALO_DATABASE_URL=empty_database) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert (process.returncode, "Error" in output) == (0, False)
    head = migrate.head_revision()
    assert migrate.current_and_head(empty_database) == (head, head)


def test_the_code_knows_its_own_revisions_only() -> None:
    """A revision that another version of the code made is told apart."""
    head = migrate.head_revision()
    assert head is not None
    assert migrate.knows(head)
    assert not migrate.knows("tomorrow")


def _differences(url: str) -> list[str]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return differences(connection)


def _relations(url: str) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = set(connection.scalars(_RELATIONS))
    engine.dispose()
    return found

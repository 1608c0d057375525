"""How the events of an installation that is there become partitioned: nothing is written anew."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import IntegrityError

from halo_engine import migrate

_BEFORE = "0041"
_ORG = text(
    "INSERT INTO organizations (key, name, widget_key, created_at, reevaluated_at) "
    "VALUES ('acme', 'Acme', 'w', now(), now()) RETURNING id"
)
_CONTACT = text(
    "INSERT INTO end_users (org_id, external_id, source, created_at, updated_at, first_seen, "
    "last_seen) VALUES (:org, :name, 'sdk', now(), now(), now(), now()) RETURNING id"
)
_EVENTS = text(
    "INSERT INTO events (org_id, end_user_id, name, happened_at, created_at, live) "
    "SELECT org_id, id, 'login', now() - i * interval '1 day', now() - i * interval '1 day', true "
    "FROM end_users, generate_series(0, 499) i"
)
_SUM = text("SELECT count(*) AS number, sum(id), min(created_at), max(created_at) FROM events")
_FILE = text(
    "SELECT pg_relation_filenode(oid) FROM pg_class WHERE relname LIKE 'events%' "
    "AND relkind = 'r' AND relname <> 'events_default'"
)


@pytest.fixture
def there(empty_database: str) -> Iterator[Connection]:
    """Connect to an installation of the version before, with the events of two contacts."""
    migrate.upgrade(empty_database, _BEFORE)
    engine = create_engine(empty_database, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        org = connection.scalar(_ORG)
        for name in ("ann", "bob"):
            connection.execute(_CONTACT, {"org": org, "name": name})
        connection.execute(_EVENTS)
        yield connection


def test_what_is_there_becomes_the_first_partition(there: Connection, empty_database: str) -> None:
    """The same file, with the same rows; keys and foreign keys hold as before."""
    before, file = there.execute(_SUM).one(), there.scalar(_FILE)
    migrate.upgrade(empty_database)
    assert there.execute(_SUM).one() == before
    assert before.number == 1_000
    assert there.scalars(_FILE).all() == [file]
    there.execute(_EVENTS)
    there.execute(text("DELETE FROM end_users WHERE external_id = 'ann'"))
    assert there.execute(_SUM).one().number == 1_000
    with pytest.raises(IntegrityError, match="events_org_id_end_user_id_fkey"):
        there.execute(text("UPDATE events SET end_user_id = uuid7()"))
    with pytest.raises(IntegrityError, match="named"):
        there.execute(text("UPDATE events SET name = ''"))


def test_a_migration_that_was_interrupted_goes_on(there: Connection, empty_database: str) -> None:
    """Whatever of the long part is there, finished or not, is made again."""
    there.execute(text("ALTER TABLE events ADD CONSTRAINT events_cut CHECK (id > 0) NOT VALID"))
    there.execute(text("CREATE UNIQUE INDEX events_by_month ON events (org_id, id)"))
    before = there.execute(_SUM).one()
    migrate.upgrade(empty_database)
    assert there.execute(_SUM).one() == before


def test_the_way_back_has_the_same_rows(there: Connection, empty_database: str) -> None:
    """All partitions become one table again."""
    before = there.execute(_SUM).one()
    migrate.upgrade(empty_database)
    migrate.downgrade(empty_database, _BEFORE)
    assert there.execute(_SUM).one() == before
    there.execute(text("DELETE FROM end_users"))
    assert there.execute(_SUM).one().number == 0

"""A page of an activation is planned for the rows of the page before, though they were counted
before they were committed.
"""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from halo_engine.opening import open_work
from halo_engine.pipeline import wide
from halo_engine.pipeline.react import react
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox, new_sandbox

PAGE = 1_000

_CONTACTS = text(
    "INSERT INTO end_users (org_id, external_id, source, custom_fields, created_at, updated_at, "
    "first_seen, last_seen) SELECT :org, 'u' || i, 'sdk', '{\"plan\": \"pro\"}', "
    "CAST(:now AS timestamptz) - i * interval '1 s', :now, :now, :now "
    "FROM generate_series(1, :contacts) i"
)
_COUNTED = text("SELECT reltuples FROM pg_class WHERE relname = 'automation_enrollments'")


@pytest.fixture
def crowd(new_database: Callable[[], Engine]) -> Sandbox:
    """An organisation of two pages of contacts, whom nobody has counted."""
    database = new_database()
    sandbox = new_sandbox(database, "early")
    pro = {"field": "plan", "operator": "is", "value": "pro"}
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    seats = {"one_per_company": True}
    sandbox.series("seats", **segment, audience_filters=[pro], settings=seats, steps=[EMAIL])
    with database.begin() as connection:
        for table in ("automation_enrollments", "automation_recipients"):
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        given = {"org": sandbox.org_id, "now": NOON, "contacts": 2 * PAGE}
        connection.execute(_CONTACTS, given)
        connection.execute(text("ANALYZE end_users"))
    return sandbox


def test_rows_of_the_page_before_are_counted(
    crowd: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vacuum that comes while the first page is written finds an empty table; the second page does
    not believe it.
    """
    monkeypatch.setattr(wide, "PAGE", PAGE)
    _work_page(crowd, meanwhile="VACUUM (ANALYZE) automation_enrollments")
    assert _counted(crowd) == 0
    _work_page(crowd)
    assert _counted(crowd) == PAGE


def _work_page(crowd: Sandbox, meanwhile: str = "SELECT 1") -> None:
    """Work the next page of the activation; ``meanwhile`` another session runs a statement."""
    autocommit = crowd.database.execution_options(isolation_level="AUTOCOMMIT")
    with crowd.database.connect() as connection:
        react(open_work(connection, crowd.org, NOON), 1)
        with autocommit.connect() as other:
            other.execute(text(meanwhile))
        connection.commit()


def _counted(crowd: Sandbox) -> float:
    with crowd.database.connect() as connection:
        counted: float = connection.execute(_COUNTED).scalar_one()
    return counted

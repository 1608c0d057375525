"""A move begins and ends although PostgreSQL vacuums a large table meanwhile."""

from typing import Final

from sqlalchemy import Connection, text

from halo_engine.moving.places import Place
from halo_engine.moving.watching import WATCHED, stop_watching, watch
from tests.moving.ground import wait_for
from tests.pipeline.sandbox import new_sandbox

#: So slow that it would go on for hours.
_SLOWLY: Final = (
    "ALTER TABLE end_users SET (autovacuum_vacuum_threshold = 1,"
    " autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,"
    " autovacuum_vacuum_cost_limit = 1)"
)
_VACUUMS: Final = (
    "SELECT count(*) FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND granted"
    " AND relation = CAST('end_users' AS regclass)"
)


def _is_vacuumed(connection: Connection) -> bool:
    return bool(connection.execute(text(_VACUUMS)).scalar_one())


def test_a_vacuum_that_goes_on_for_hours_keeps_no_move_from_beginning(
    places: tuple[Place, Place],
) -> None:
    """It gives way once somebody has waited for a second; the triggers are made, and dropped."""
    place, _ = places
    acme = new_sandbox(place.database, "acme")
    acme.contacts(f"user-{number}" for number in range(5_000))
    with place.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(_SLOWLY))
        connection.execute(text("UPDATE end_users SET name = 'Ann'"))
        wait_for(lambda: _is_vacuumed(connection))
        assert watch(place, acme.org_id) == len(WATCHED)
        connection.execute(text("UPDATE end_users SET name = 'Ben'"))
        wait_for(lambda: _is_vacuumed(connection))
        assert stop_watching(place, acme.org_id) == len(WATCHED)

"""A track for each race, on a database of its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from halo_engine.database import create_engine
from tests.races.track import Track, open_track


@pytest.fixture
def track(database: Engine) -> Iterator[Track]:
    """Threads for the racers, and a new database: what thousands of rounds leave goes with it."""
    url = database.url.render_as_string(hide_password=False)
    # The server is not restarted here: testing connections would double the round trips.
    engine = create_engine(url, application_name="halo-race", pool_size=10, pre_ping=False)
    with open_track(engine) as track:
        yield track
    engine.dispose()

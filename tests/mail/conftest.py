"""A post office: an organisation of the test's own, committed."""

import pytest
from sqlalchemy import Engine

from tests.mail.post_office import PostOffice


@pytest.fixture
def office(shared_database: Engine) -> PostOffice:
    """Nobody enrolled yet, at the usual instant."""
    return PostOffice(shared_database)

"""An organisation of the test's own, in a transaction that is rolled back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from halo_engine.work import Work
from tests.contacts.sandbox import new_organization


@pytest.fixture
def work(shared_database: Engine) -> Iterator[Work]:
    """Open work for a new organisation, which is gone after the test."""
    with shared_database.connect() as connection, connection.begin() as transaction:
        yield new_organization(connection)
        transaction.rollback()

"""People of an organisation of the test's own, in a transaction that is rolled back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.audience.people import People
from tests.contacts.sandbox import new_organization


@pytest.fixture
def people(shared_database: Engine) -> Iterator[People]:
    """Nobody yet, in a new organisation."""
    with shared_database.connect() as connection, connection.begin() as transaction:
        yield People(new_organization(connection))
        transaction.rollback()

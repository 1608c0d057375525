"""A stage of the test's own, in a transaction that is rolled back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.answers.stage import Stage
from tests.contacts.stage import new_organization


@pytest.fixture
def stage(shared_database: Engine) -> Iterator[Stage]:
    """An organisation without contacts and series, at the usual instant."""
    with shared_database.connect() as connection, connection.begin() as transaction:
        yield Stage(new_organization(connection))
        transaction.rollback()

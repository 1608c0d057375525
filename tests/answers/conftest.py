"""A sandbox of the test's own, in a transaction that is rolled back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.answers.sandbox import Sandbox
from tests.contacts.sandbox import new_organization


@pytest.fixture
def sandbox(shared_database: Engine) -> Iterator[Sandbox]:
    """An organisation without contacts and series, at the usual instant."""
    with shared_database.connect() as connection, connection.begin() as transaction:
        yield Sandbox(new_organization(connection))
        transaction.rollback()

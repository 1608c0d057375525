"""A sandbox for each test, on the shared database."""

from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.pipeline.sandbox import Sandbox, new_sandbox

_numbers = count(1)


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation of the test's own, at noon."""
    return new_sandbox(shared_database, f"kept-{next(_numbers)}-{uuid4()}")

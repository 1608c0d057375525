"""A stage for each test, on the shared database."""

from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.pipeline.stage import Stage, new_stage

_numbers = count(1)


@pytest.fixture
def stage(shared_database: Engine) -> Stage:
    """An organisation of the test's own, at noon."""
    return new_stage(shared_database, f"pipeline-{next(_numbers)}-{uuid4()}")

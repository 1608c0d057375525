"""An organisation and a receiver for each test."""

from collections.abc import Iterator
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.acceptance.conftest import start_stack
from tests.pipeline.sandbox import new_sandbox
from tests.webhooks.receiver import Receiver, receiving
from tests.webhooks.sandbox import Hooks

#: Fixtures that tests find here.
__all__ = ["start_stack"]

_numbers = count(1)


@pytest.fixture
def hooks(shared_database: Engine) -> Hooks:
    """An organisation of the test's own, at noon."""
    made = new_sandbox(shared_database, f"webhooks-{next(_numbers)}-{uuid4()}")
    return Hooks(made.database, made.org)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port, which takes everything."""
    with receiving() as running:
        yield running

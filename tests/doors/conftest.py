"""A sandbox for each test, on the shared database, and an operator who calls the doors."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from halo_engine.doors.door import as_data
from halo_engine.doors.once import run_once
from halo_engine.doors.table import DOORS
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import Work
from tests.contacts.sandbox import new_organization
from tests.pipeline.sandbox import Sandbox, new_sandbox

_numbers = count(1)
ORIGIN = Origin("eve", Via.TASK)

Operator = Callable[..., Any]


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation of the test's own, at noon."""
    return new_sandbox(shared_database, f"doors-{next(_numbers)}-{uuid4()}")


@pytest.fixture
def operate(sandbox: Sandbox) -> Operator:
    """Call a door in that organisation, by an idempotency key if one is given."""

    def run(name: str, *, idempotency_key: str | None = None, **fields: Any) -> Any:
        door = DOORS[name]
        call = door.read(fields)
        if idempotency_key is None:
            return as_data(door.run(sandbox.engine, sandbox.org, call, ORIGIN))
        once = run_once(
            door, sandbox.engine, sandbox.org, call, ORIGIN, idempotency_key, lambda _rest: None
        )
        return as_data(once)

    return run


@pytest.fixture
def work(shared_database: Engine) -> Iterator[Work]:
    """Open work for a new organisation, which is gone after the test."""
    with shared_database.connect() as connection, connection.begin() as transaction:
        yield new_organization(connection)
        transaction.rollback()

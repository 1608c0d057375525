"""What a message to a worker may hold, with a real worker that reads it."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from halo_engine.tables import end_users
from tests.acceptance.conftest import Stack


@pytest.mark.parametrize(
    "value",
    [
        {"__type__": "nope", "__value__": 1},
        {"__type__": "uuid", "__value__": "nope"},
        {"__type__": ["uuid"], "__value__": "nope"},
    ],
    ids=str,
)
def test_what_looks_like_a_type_of_the_library_is_a_value_like_any_other(
    stack: Stack, value: dict[str, Any]
) -> None:
    """Traits come from browsers: whatever they hold, the call is answered."""
    org = stack.organization()
    answered = stack.ask("halo.identify", widget_key=org, user_id="ann", traits={"odd": value})
    asked = select(end_users.c.custom_fields).where(end_users.c.id == UUID(answered["id"]))
    stored = stack.stage(org).perform(lambda work: work.connection.execute(asked).scalar_one())
    assert stored == {"odd": value}

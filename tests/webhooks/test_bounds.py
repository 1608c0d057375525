"""How long a body may be (contract §14)."""

import pytest

from halo_engine.webhooks.messages import LONGEST_BODY
from tests.webhooks.receiver import Receiver
from tests.webhooks.sandbox import Hooks

ENTERED = ["contact.entered"]


@pytest.mark.parametrize(("over", "is_told"), [(0, True), (1, False)])
def test_traits_that_make_a_body_too_long_are_left_out(
    hooks: Hooks, receiver: Receiver, over: int, *, is_told: bool
) -> None:
    """A body of 20,000 bytes is sent whole; of a longer one, everything but email and traits."""
    endpoint = hooks.endpoint(receiver.url, kinds=ENTERED, with_traits=True)
    hooks.series("welcome")
    hooks.enter("bob", custom_fields={"note": ""})
    hooks.deliver()
    without = len(receiver.taken[0].body.encode())
    # A letter of two bytes: bytes are counted, not letters.
    note = "é" + "x" * (20_000 - without - 2 + over)
    hooks.enter("ann", custom_fields={"note": note})
    hooks.deliver()
    contact = receiver.verified(endpoint.secret)[1]["data"]["contact"]
    if is_told:
        assert contact["traits"]["note"] == note
        assert len(receiver.taken[1].body.encode()) == LONGEST_BODY == 20_000
    else:
        assert {*contact} == {"id", "user_id", "traits_left_out"}
        assert contact["traits_left_out"] is True

"""How long a body may be, and how long events are kept (contract §14)."""

from datetime import timedelta

import pytest

from halo_engine.tables import webhook_deliveries, webhook_events
from halo_engine.webhooks import sweeping
from halo_engine.webhooks.messages import LONGEST_BODY
from halo_engine.webhooks.sweeping import KEPT_FOR
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


def test_events_are_kept_for_thirty_days(hooks: Hooks, receiver: Receiver) -> None:
    """After 30 days an event and its deliveries are deleted, sent or not."""
    endpoint = hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    hooks.change(endpoint.id, off=True)
    hooks.enter("bob")
    hooks.now += timedelta(days=1)
    hooks.enter("cyd")
    hooks.now += KEPT_FOR - timedelta(days=1)
    hooks.engine.sweep_webhooks()
    assert hooks.count(webhook_events) == hooks.count(webhook_deliveries) == 3
    hooks.now += timedelta(seconds=1)
    hooks.engine.sweep_webhooks()
    assert hooks.count(webhook_events) == hooks.count(webhook_deliveries) == 1
    hooks.change(endpoint.id, off=False)
    hooks.deliver()
    assert [each.contact for each in receiver.taken] == ["ann", "cyd"]


def test_many_old_events_are_deleted_in_parts(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick deletes some, the oldest first, so that no transaction is long."""
    monkeypatch.setattr(sweeping, "_AT_ONCE", 2)
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann", "bob", "cyd")
    hooks.now += KEPT_FOR + timedelta(days=1)
    left = []
    for _ in range(3):
        hooks.engine.sweep_webhooks()
        left.append(hooks.count(webhook_events))
    assert left == [1, 0, 0]

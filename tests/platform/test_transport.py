"""Whoever has a message in hand while its connection goes meets a lost connection, nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest
import redis

from workers.transport import QoS


@pytest.fixture
def closed() -> Any:
    """What a channel has in hand, one message, after kombu closed its connection."""
    channel = SimpleNamespace(connection=SimpleNamespace(client=None), do_restore=True)
    hand: Any = QoS(channel)
    hand.append(object(), "1")
    return hand


def test_acknowledging_after_the_connection_meets_a_lost_one(closed: Any) -> None:
    """Celery knows that error and goes on; an AttributeError would end the worker."""
    with pytest.raises(redis.ConnectionError, match="the connection is closed"):
        closed.ack("1")


def test_handing_back_after_the_connection_raises_nothing(closed: Any) -> None:
    """What is in hand is left to whoever looks for dead workers' messages."""
    assert closed.restore_unacked() == []
    assert closed.restore_unacked() == []

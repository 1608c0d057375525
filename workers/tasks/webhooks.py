"""Delivering webhooks, as a task: the tick and each settling worker ring for it (§14)."""

import time
from collections import Counter
from typing import Final

import structlog

from halo_engine.database import MovedAway
from halo_engine.settings import TURN_SECONDS

from ..app import app
from ..doorbell import (
    WEBHOOKS,
    answer,
    begin_to_look,
    end_looking,
    go_on_looking,
    ring,
    ring_elsewhere,
)
from ..engine import engine

#: An endpoint that does not answer delays the end of a turn by its patience.
_TURN_SECONDS: Final = TURN_SECONDS / 2

_log = structlog.get_logger(__name__)


@app.task(name="halo.webhooks.deliver", ignore_result=True)
def deliver() -> None:
    """Deliver what is due to the endpoints of all organisations, for one turn at most.

    One worker process at a time does this, so endpoints that are slow hold up no other work.
    """
    ends = time.monotonic() + _TURN_SECONDS
    while begin_to_look(WEBHOOKS):
        answer(WEBHOOKS)
        try:
            counted = engine().deliver_webhooks(ends, lambda: go_on_looking(WEBHOOKS))
        except MovedAway as moved:
            # The other endpoints had their turn before this was raised.
            ring_elsewhere(WEBHOOKS, moved.cell)
            counted = Counter()
        finally:
            is_called = end_looking(WEBHOOKS)
        if counted:
            _log.info("webhooks", **counted)
        if time.monotonic() > ends:
            answer(WEBHOOKS)
            if engine().webhooks_wait():
                ring(WEBHOOKS)
            return
        if not is_called:
            return

"""The doorbell: one message an organisation says "look"; what to look at is in the database.

It may ring twice, late, or not at all: signals are committed before it rings, and the tick finds
those that nobody rang for.
"""

from uuid import UUID

import redis
import structlog
from kombu.exceptions import OperationalError

from workers.app import app as worker_app
from workers.configuration import EngineApp
from workers.connections import broker

#: A message that the broker lost silences the bell for no longer than this.
_SILENCE_SECONDS = 30

_log = structlog.get_logger(__name__)


def ring(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Ask a worker to settle the organisation's signals, unless one was asked and has yet to look.

    Call it after the commit. Returns whether a message went out. Never raises for a broker that
    is away: the signals are committed, and the tick finds them.
    """
    try:
        client = broker(app.conf.broker_url)
        if not client.set(_key(org_id), 1, nx=True, ex=_SILENCE_SECONDS):
            return False
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell failed", org_id=str(org_id), problem=str(error))
        return False
    try:
        app.send_task(
            "halo.settle", kwargs={"org_id": str(org_id)}, ignore_result=True, retry=False
        )
    except (redis.RedisError, OperationalError, OSError) as error:
        _log.warning("doorbell failed", org_id=str(org_id), problem=str(error))
        answer(org_id, app)
        return False
    return True


def answer(org_id: UUID, app: EngineApp = worker_app) -> None:
    """Make the bell ring again for what comes from now on; call it before looking for signals.

    The other order would lose a signal committed between the last look and the answer.
    """
    try:
        broker(app.conf.broker_url).delete(_key(org_id))
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell not reset", org_id=str(org_id), problem=str(error))


def _key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}"

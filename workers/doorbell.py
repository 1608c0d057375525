"""The doorbell: one message an organisation says "look"; what to look at is in the database.

It may ring twice, late, or not at all: signals are committed before it rings, and the tick finds
those that nobody rang for.

Whoever comes to look while another does leaves word and goes: signals of one organisation are
handled by one transaction at a time, so the second would only wait, and nobody would answer calls.
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
#: Who has reacted to nothing for so long is busy with something else, or dead: another may look.
_LOOKING_MILLISECONDS = 1_000
#: Word that nobody reads, because the one who looked died, is forgotten.
_WORD_SECONDS = 10

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
        _log.warning("doorbell failed", org_id=org_id, problem=error)
        return False
    try:
        app.send_task(
            "halo.settle", kwargs={"org_id": str(org_id)}, ignore_result=True, retry=False
        )
    except (redis.RedisError, OperationalError, OSError) as error:
        _log.warning("doorbell failed", org_id=org_id, problem=error)
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
        _log.warning("doorbell not reset", org_id=org_id, problem=error)


def begin_to_look(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Return whether the caller is to look at the organisation; if not, somebody else will again.

    Without a broker everybody looks.
    """
    looking, word = _looking_key(org_id), _word_key(org_id)
    try:
        client = broker(app.conf.broker_url)
        with client.pipeline(transaction=False) as commands:
            # Word first: who ends meanwhile sees it.
            commands.set(word, 1, ex=_WORD_SECONDS)
            commands.set(looking, 1, nx=True, px=_LOOKING_MILLISECONDS)
            _, alone = commands.execute()
        if alone:
            client.delete(word)
        else:
            # No message stands behind the mark any more: should that worker die, the tick rings.
            client.expire(_key(org_id), _WORD_SECONDS)
        return bool(alone)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return True


def go_on_looking(org_id: UUID, app: EngineApp = worker_app) -> None:
    """Say that the caller still looks at signals; call it between two transactions."""
    try:
        broker(app.conf.broker_url).set(_looking_key(org_id), 1, px=_LOOKING_MILLISECONDS)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)


def end_looking(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Say that the caller looks no more; return whether somebody left word meanwhile."""
    try:
        with broker(app.conf.broker_url).pipeline(transaction=False) as commands:
            commands.delete(_looking_key(org_id))
            commands.delete(_word_key(org_id))
            _, came = commands.execute()
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return False
    return bool(came)


def _key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}"


def _looking_key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}:looking"


def _word_key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}:word"

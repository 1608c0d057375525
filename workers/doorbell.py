"""The doorbell: a message that tells a worker to handle an organisation's signals.

The signals themselves are in the database, committed before the bell rings. So it may ring twice,
late, or not at all: the tick finds signals that nobody rang for.

One transaction at a time handles an organisation's signals. A second worker that comes meanwhile
would only wait, and answer no calls; so it leaves a note for the first, and ends.
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
#: A worker that handled no signal for so long is busy with other work, or dead: another may look.
_LOOKING_MILLISECONDS = 1_000
#: A note that nobody reads, because the worker that looked died, expires.
_NOTE_SECONDS = 10

_log = structlog.get_logger(__name__)


def ring(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Ask a worker to settle the organisation's signals, unless such a message already waits.

    Call it after the commit. Returns whether a message went out. A broker that is away raises
    nothing: the signals are committed, and the tick finds them.
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
    """Let the bell ring again for what comes from now on; call it before looking for signals.

    Called afterwards it would lose a signal that was committed after the last look.
    """
    try:
        broker(app.conf.broker_url).delete(_key(org_id))
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell not reset", org_id=org_id, problem=error)


def begin_to_look(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Return whether the caller should look; if not, the worker that looks now will look again.

    Without a broker every caller looks.
    """
    looking, note = _looking_key(org_id), _note_key(org_id)
    try:
        client = broker(app.conf.broker_url)
        with client.pipeline(transaction=False) as commands:
            # The note comes first: a worker that ends meanwhile sees it.
            commands.set(note, 1, ex=_NOTE_SECONDS)
            commands.set(looking, 1, nx=True, px=_LOOKING_MILLISECONDS)
            _, alone = commands.execute()
        if alone:
            client.delete(note)
        else:
            # This message is used up. Should the other worker die, the tick can ring this soon.
            client.expire(_key(org_id), _NOTE_SECONDS)
        return bool(alone)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return True


def go_on_looking(org_id: UUID, app: EngineApp = worker_app) -> None:
    """Renew the mark that the caller looks at signals; call it between two transactions."""
    try:
        broker(app.conf.broker_url).set(_looking_key(org_id), 1, px=_LOOKING_MILLISECONDS)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)


def end_looking(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Delete the mark that the caller looks; return whether somebody left a note."""
    try:
        with broker(app.conf.broker_url).pipeline(transaction=False) as commands:
            commands.delete(_looking_key(org_id))
            commands.delete(_note_key(org_id))
            _, came = commands.execute()
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return False
    return bool(came)


def _key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}"


def _looking_key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}:looking"


def _note_key(org_id: UUID) -> str:
    return f"halo:doorbell:{org_id}:word"

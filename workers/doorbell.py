"""The doorbell: a message that tells a worker to handle an organisation's signals.

The signals themselves are in the database, committed before the bell rings. So it may ring twice,
late, or not at all: the tick finds signals for which no bell rang.

One transaction at a time handles an organisation's signals. A second worker would only wait for it,
and do no calls meanwhile; so it leaves a note for the first, and ends.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final
from uuid import UUID

import redis
import structlog
from kombu.exceptions import OperationalError

from halo_engine.settings import load_settings

from .app import app as worker_app
from .configuration import EngineApp, create_app
from .connections import broker
from .tracing.causes import Cause, as_text, caused_by, current, joined, read_text

#: If the broker loses a message, the bell is silent for at most this long.
_SILENCE_SECONDS = 30
#: If a worker has handled no signal for so long, it is busy or dead: another may look.
_LOOKING_MILLISECONDS = 1_000
#: A note that is never read, because its worker died, expires after this time.
_NOTE_SECONDS = 10
#: How often a bell goes on to another cell at most.
_ELSEWHERE_SECONDS = 5
#: Of what made a bell ring, so many causes are kept for the worker that answers.
_MOST_CAUSES = 10

#: In place of an organisation: the webhooks of all, which one worker at a time delivers.
WEBHOOKS: Final = UUID(int=0)

_log = structlog.get_logger(__name__)


def ring(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Ask a worker to settle the organisation's signals, unless such a message already waits.

    Call it after the commit. Returns whether a message was sent. If the broker is away, it raises
    nothing: the signals are committed, and the tick finds them.
    """
    return bool(ring_each({org_id: current()}, app))


def ring_each(rings: Mapping[UUID, Cause], app: EngineApp = worker_app) -> list[UUID]:
    """Ring for several organisations, each because of its cause, in one round trip but for the
    messages; return those for which one went out.
    """
    try:
        silent = _mark(rings, app)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell failed", org_ids=[*map(str, rings)], problem=error)
        return []
    return [org_id for org_id in silent if _send(org_id, rings[org_id], app)]


def _mark(rings: Mapping[UUID, Cause], app: EngineApp) -> list[UUID]:
    """Note why the bells ring, and return those for which no message waits already."""
    with broker(app.conf.broker_url).pipeline(transaction=False) as commands:
        for org_id, cause in rings.items():
            if any(cause):
                causes = _causes_key(org_id, app)
                # Noted first: whoever answers the bell finds it.
                commands.rpush(causes, as_text(cause))
                commands.ltrim(causes, -_MOST_CAUSES, -1)
                commands.expire(causes, _SILENCE_SECONDS)
        for org_id in rings:
            commands.set(_key(org_id, app), 1, nx=True, ex=_SILENCE_SECONDS)
        marked = commands.execute()[-len(rings) :]
    return [org_id for org_id, is_new in zip(rings, marked, strict=True) if is_new]


def _send(org_id: UUID, cause: Cause, app: EngineApp) -> bool:
    try:
        with caused_by(cause):
            task, given = _message(org_id)
            app.send_task(task, kwargs=given, ignore_result=True, retry=False)
    except (redis.RedisError, OperationalError, OSError) as error:
        _log.warning("doorbell failed", org_id=org_id, problem=error)
        answer(org_id, app)
        return False
    return True


def ring_elsewhere(org_id: UUID, cell: str) -> None:
    """Ring for an organisation, or for webhooks, in another cell: there is the work now.

    It rings once in a while: of an organisation on its way, each of two cells says that it is in
    the other. A bell that is left out was none too many: the other cell's tick finds the work.
    """
    _log.info("lives elsewhere", org_id=org_id, cell=cell)
    try:
        client = broker(worker_app.conf.broker_url)
        is_due = client.set(_elsewhere_key(org_id), cell, nx=True, ex=_ELSEWHERE_SECONDS)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell failed", org_id=org_id, problem=error)
        return
    if is_due:
        ring(org_id, _app_of(cell))


@cache
def _app_of(cell: str) -> EngineApp:
    """Return an app that sends to the queues of a cell."""
    settings = load_settings()
    return create_app(settings.of_cell(cell, settings.required_database_url()))


def answer(org_id: UUID, app: EngineApp = worker_app) -> Cause:
    """Let the bell ring again for what comes from now on, and return what made it ring.

    Call it before looking for signals: afterwards it would lose a signal that was committed after
    the last look.
    """
    try:
        with broker(app.conf.broker_url).pipeline() as commands:
            commands.delete(_key(org_id, app))
            commands.lrange(_causes_key(org_id, app), 0, -1)
            commands.delete(_causes_key(org_id, app))
            _, causes, _ = commands.execute()
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell not reset", org_id=org_id, problem=error)
        return current()
    return joined([current(), *map(read_text, causes)])


def rung_meanwhile(org_id: UUID, app: EngineApp = worker_app) -> Cause:
    """Return the current cause, joined by what made the bell ring since it was answered.

    Their signals may have been handled already: they are committed before the bell rings.
    """
    try:
        causes = broker(app.conf.broker_url).lrange(_causes_key(org_id, app), 0, -1)
    except (redis.RedisError, OSError):
        causes = []
    return joined([current(), *map(read_text, causes)])


def begin_to_look(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Return whether the caller should look; if not, the worker that is looking will look again.

    Without a broker every caller looks.
    """
    looking, note = _looking_key(org_id, app), _note_key(org_id, app)
    try:
        client = broker(app.conf.broker_url)
        with client.pipeline(transaction=False) as commands:
            # Leave the note first: a worker that ends in between sees it.
            commands.set(note, 1, ex=_NOTE_SECONDS)
            commands.set(looking, 1, nx=True, px=_LOOKING_MILLISECONDS)
            _, alone = commands.execute()
        if alone:
            client.delete(note)
        else:
            # This message is used up. If the other worker dies, the tick can ring again this soon.
            client.expire(_key(org_id, app), _NOTE_SECONDS)
        return bool(alone)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return True


def go_on_looking(org_id: UUID, app: EngineApp = worker_app) -> None:
    """Renew the mark that the caller is looking; call it between two transactions."""
    try:
        broker(app.conf.broker_url).set(_looking_key(org_id, app), 1, px=_LOOKING_MILLISECONDS)
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)


def end_looking(org_id: UUID, app: EngineApp = worker_app) -> bool:
    """Delete the mark that the caller is looking; return whether there is a note."""
    try:
        with broker(app.conf.broker_url).pipeline(transaction=False) as commands:
            commands.delete(_looking_key(org_id, app))
            commands.delete(_note_key(org_id, app))
            _, came = commands.execute()
    except (redis.RedisError, OSError) as error:
        _log.warning("doorbell away", org_id=org_id, problem=error)
        return False
    return bool(came)


def _message(org_id: UUID) -> tuple[str, dict[str, str]]:
    if org_id == WEBHOOKS:
        return "halo.webhooks.deliver", {}
    return "halo.settle", {"org_id": str(org_id)}


def _key(org_id: UUID, app: EngineApp) -> str:
    """Return the bell of an organisation in the app's cell, or of that cell's webhooks.

    While an organisation moves, a bell of its old cell silences none of its new one.
    """
    cell = app.conf.get("halo_cell")
    return f"halo:doorbell:{cell}:{org_id}" if cell else f"halo:doorbell:{org_id}"


def _elsewhere_key(org_id: UUID) -> str:
    return f"{_key(org_id, worker_app)}:elsewhere"


def _causes_key(org_id: UUID, app: EngineApp) -> str:
    return f"{_key(org_id, app)}:causes"


def _looking_key(org_id: UUID, app: EngineApp) -> str:
    return f"{_key(org_id, app)}:looking"


def _note_key(org_id: UUID, app: EngineApp) -> str:
    return f"{_key(org_id, app)}:word"

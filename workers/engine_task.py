"""The base of every task: how it answers, fails and is retried."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import structlog
from celery import Task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.utils.time import get_exponential_backoff_interval
from sqlalchemy.exc import DBAPIError, OperationalError

from halo_engine import migrate
from halo_engine.cells.asking import NoAnswer
from halo_engine.domain.errors import Refusal, bad_input

from .cells import NotSentOn, cells_of, own_cell, require_known, require_own, sent_on
from .circling import PAUSE_SECONDS, SENT_ON
from .connections import database_answers, schema_is_current
from .outage import outage, trouble

#: Errors that may pass although the servers answer, and how often such a call is retried.
_PASSING: Final = (OperationalError, OSError, SoftTimeLimitExceeded)
_MOST_RETRIES: Final = 5
_LONGEST_PAUSE_SECONDS: Final = 30

_log = structlog.get_logger(__name__)


class EngineTask(Task[..., Any]):
    """A task that answers a refusal as data and waits for its servers.

    A Refusal becomes the result `{"refused": {status, code, message}}` and is never tried again
    (contract §11). While the database or the broker is away, or the schema is not migrated yet, the
    message goes back to the head of its queue after a pause, until they are back (contract §2).
    After another error that may pass, such as a statement's time limit, the call is tried again
    five times within about a minute. A call of an organisation in another cell goes on to that
    cell's queue. The message is acknowledged after the work, so running a body
    twice must do no harm.
    """

    Request = f"{__package__}.broker.requests:EngineRequest"
    max_retries = _MOST_RETRIES
    acks_late = True
    # A call that is killed at its hard limit is delivered again, a few times.
    acks_on_timeout = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body; return its answer, or the refusal it raised.

        A task is called with keyword arguments alone.
        """
        try:
            answer = self._answer(*args, **kwargs)
        except Exception as error:
            cells = () if self.request.is_eager else cells_of(error, kwargs)
            if cells:
                self._send_on(cells)
            if isinstance(error, NoAnswer):
                self._wait(f"nobody knows its organisation, and {error}", _LONGEST_PAUSE_SECONDS)
            said = None if self.request.is_eager else server_trouble(error)
            if said is not None:
                self._hand_back(said)
            if isinstance(error, _PASSING) or _lacks_schema(error):
                self._try_again(error)
            raise
        outage.over()
        return answer

    def _answer(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if args:
                problem = f"{len(args)} by position are refused; allowed are keyword arguments"
                raise bad_input(f"{self.name}, arguments", problem, "bad_call")
            self._require_own(kwargs)
            return super().__call__(**self._arguments(kwargs))
        except Refusal as refusal:
            if own_cell() is not None and not self.request.is_eager:
                require_known(kwargs, refusal)
            # Its message may repeat what was sent.
            _log.info("refused", status=refusal.status, code=refusal.code)
            return {"refused": refusal.as_dict()}

    def _require_own(self, fields: dict[str, Any]) -> None:
        """Raise InOtherCells for the call of another cell's organisation."""
        if own_cell() is not None and not self.request.is_eager:
            require_own(fields, self.request)

    def _arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body's arguments; may refuse the call."""
        return given

    def _send_on(self, cells: Sequence[str]) -> NoReturn:
        """End without an answer: workers of those cells do the call, at once or in a while."""
        if SENT_ON.has(str(self.request.id)):
            self._wait(f"its organisation is on its way to {', '.join(cells)}", PAUSE_SECONDS)
        try:
            is_sent = sent_on(self.app.conf.broker_url, self.request, cells)
        except NotSentOn as error:
            self._hand_back(str(error))
        SENT_ON.add(str(self.request.id))
        raise is_sent from None

    def _hand_back(self, said: str) -> NoReturn:
        """Pause, and give the message back to the head of its queue."""
        soft, hard = self.app.conf.task_soft_time_limit, self.app.conf.task_time_limit
        # The soft limit may end during the pause: then the pause ends, and the call is not lost.
        with suppress(SoftTimeLimitExceeded):
            _log.warning("waits", trouble=said, met=outage.met + 1)
            outage.pause(longest=min(soft, hard - soft) / 3)
        raise Reject(said, requeue=True) from None

    def _wait(self, trouble: str, seconds: float) -> NoReturn:
        """Try a call again whose organisation cannot be found now, as often as it takes. Other
        calls go on meanwhile.
        """
        _log.warning("waits", trouble=trouble)
        # Such a try is none of the few that a passing error has.
        tries = self.request.retries
        self.request.retries = tries - 1
        self._later(seconds, max_retries=tries)

    def _try_again(self, error: Exception) -> NoReturn:
        pause = get_exponential_backoff_interval(
            factor=1, retries=self.request.retries, maximum=_LONGEST_PAUSE_SECONDS, full_jitter=True
        )
        self._later(pause, exc=error)

    def _later(self, seconds: float, **options: Any) -> NoReturn:
        """Send the call again, to be done after so many seconds."""
        try:
            raise self.retry(countdown=seconds, **options) from None
        except Reject as unsent:
            # The broker did not take it. Celery would have it set aside.
            self._hand_back(f"broker: {type(unsent.args[0]).__name__}")


def server_trouble(error: Exception) -> str | None:
    """Return which server is at fault; None for an error of the call itself."""
    if isinstance(error, NotSentOn):
        return str(error)
    if isinstance(error, SoftTimeLimitExceeded):
        # A server that hangs neither answers nor ends a statement at its time limit.
        return None if database_answers() else "database: it is silent"
    if _lacks_schema(error):
        # In a database of this version it is our fault, or the migration has just ended.
        return None if schema_is_current() else f"database: {migrate.OF_ANOTHER_SCHEMA}"
    return trouble(error)


def _lacks_schema(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and migrate.is_of_another_schema(error)

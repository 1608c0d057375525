"""How every task of the engine answers, fails and tries again."""

from typing import Any, Final

import structlog
from celery import Task
from sqlalchemy.exc import OperationalError, ProgrammingError

from halo_engine import migrate
from halo_engine.domain.errors import Refusal, bad_input, conflict

#: A task that runs longer than this hands the rest to a new one, so that organisations take turns.
TURN_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


class EngineTask(Task[..., Any]):
    """A task that answers a refusal as data and repeats what the next moment may cure.

    A Refusal becomes the result `{"refused": {status, code, message}}` and is never tried again
    (contract §11). A lost database or broker is: five times within about a minute. The message is
    acknowledged after the work, so bodies must bear being run twice.
    """

    autoretry_for = (OperationalError, OSError)
    max_retries = 5
    retry_backoff = 1
    retry_backoff_max = 30
    retry_jitter = True
    acks_late = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body; return its answer, or the refusal it raised.

        A task is called with keyword arguments alone.
        """
        try:
            if args:
                problem = f"{len(args)} by position are refused; allowed are keyword arguments"
                raise bad_input(f"{self.name}, arguments", problem, "bad_call")
            return super().__call__(*args, **kwargs)
        except Refusal as refusal:
            _log.info("refused", **refusal.as_dict())
            return {"refused": refusal.as_dict()}
        except ProgrammingError as error:
            if not migrate.is_of_another_schema(error):
                raise
            _log.error(migrate.OF_ANOTHER_SCHEMA)
            return {"refused": conflict("schema_not_migrated", migrate.OF_ANOTHER_SCHEMA).as_dict()}

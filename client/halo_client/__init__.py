"""Calls of halo-engine's tasks from an application; `docs/guides/calling.md` says what they do.

It needs Celery alone: `pip install ./client`, or copy this file.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

#: Where the engine's workers listen; Celery's own default is the queue ``celery``.
QUEUE = "halo.calls"


class Refused(Exception):  # noqa: N818 -- an answer, not a fault
    """The engine refused: ``status`` as in HTTP, a stable ``code``, a ``message`` for a person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class Halo:
    """Calls about one organisation's contacts and series.

    ``broker_url`` is the workers' Redis or Valkey. An application names the organisation by its
    ``widget_key``, an operator by its key, ``org``. Make it once; threads may share it.
    """

    def __init__(
        self, broker_url: str, *, widget_key: str | None = None, org: str | None = None
    ) -> None:
        self.widget_key = widget_key
        self.org = org
        url = re.sub("^valkey", "redis", broker_url)
        self.app = Celery("halo-client", broker=url, backend=url, set_as_current=False)
        # No wait for a broker that does not answer lasts for ever.
        timeouts = {"socket_timeout": 10.0, "socket_connect_timeout": 5.0}
        self.app.conf.update(
            task_routes={"halo.*": {"queue": QUEUE}},
            broker_transport_options=timeouts,
            result_backend_transport_options=timeouts,
            task_publish_retry_policy={"max_retries": 3, "interval_step": 0.5},
        )

    def send(
        self,
        task: str,
        /,
        *,
        link: Any = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> "AsyncResult[Any]":
        """Send a call of an application's, such as ``halo.identify``, and return at once.

        The call carries its sending time (``sent_at``). When this returns, the broker has the call;
        a broker that is away raises kombu's OperationalError. ``link`` is Celery's: a task of the
        application that gets the answer. ``headers`` go with the message: ``X-Request-Id`` is on
        each line that the engine logs because of the call.
        """
        call = {"widget_key": self._required("widget_key"), "sent_at": _now(), **fields}
        return self._sent(task, call, link=link, headers=headers)

    def ask(self, task: str, /, *, within: float = 30.0, **fields: Any) -> Any:
        """Send a call and return its answer; raise Refused where it is refused.

        After ``within`` seconds without an answer it raises Celery's TimeoutError: the call is
        still on its way.
        """
        return answer_of(self.send(task, **fields), within=within)

    def order(self, task: str, /, *, within: float = 30.0, **fields: Any) -> Any:
        """Send an operator's task, such as ``halo.series.pause``, and return its answer.

        An order that no worker takes within ten minutes is refused (``expired``).
        """
        call = {"org": self._required("org"), "sent_at": _now(), **fields}
        return answer_of(self._sent(task, call), within=within)

    def _sent(
        self,
        task: str,
        call: dict[str, Any],
        *,
        link: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> "AsyncResult[Any]":
        """Send a call; raise OperationalError where the broker is away."""
        try:
            return self.app.send_task(task, kwargs=call, link=link, headers=dict(headers or {}))
        except RuntimeError as away:
            # Celery subscribes to the answer before it sends; it raises this if it cannot.
            if isinstance(away.__cause__, RedisError):
                raise OperationalError(str(away.__cause__)) from away
            raise

    def _required(self, name: str) -> str:
        value: str | None = getattr(self, name)
        if value is None:
            raise ValueError(f"Halo(…, {name}=…) is needed for this call")
        return value


def _now() -> str:
    """Return the current time as a call's sending time; of two calls, the later one counts."""
    return datetime.now(UTC).isoformat()


def answer_of(sent: "AsyncResult[Any]", *, within: float = 30.0) -> Any:
    """Wait for what was sent and return the answer; raise Refused where it is refused."""
    return read_answer(sent.get(timeout=within))


def read_answer(answer: Any) -> Any:
    """Return an answer, such as a callback gets; raise Refused where it is a refusal."""
    if isinstance(answer, dict) and answer.keys() == {"refused"}:
        refused = answer["refused"]
        raise Refused(refused["status"], refused["code"], refused["message"])
    return answer

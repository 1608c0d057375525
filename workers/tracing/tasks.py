"""Set the cause and the span of a task while it runs."""

from contextlib import ExitStack
from typing import Any, Final

from celery import states

from halo_engine.settings import load_settings

from .causes import NOTHING, caused_by, set_cause
from .messages import cause_in
from .spans import add_attributes, span, start_tracing, stop_tracing

#: The tasks under way; a worker process has one at a time.
_under_way: Final[dict[str, ExitStack]] = {}


def begin_tracing(**_: object) -> None:
    """Trace the tasks of this worker process (signal `worker_process_init`)."""
    start_tracing(load_settings(), "worker")


def end_tracing(**_: object) -> None:
    """Send the spans that are left (signal `worker_process_shutdown`)."""
    stop_tracing()


def begin_task(task_id: str, task: Any, **_: object) -> None:
    """Take the cause from the task's message, and begin its span (signal `task_prerun`)."""
    stack = _under_way[task_id] = ExitStack()
    cause = cause_in(task.request.headers or {})
    stack.enter_context(caused_by(cause))
    stack.enter_context(
        span(f"task {task.name}", cause, task_id=task_id, tries=task.request.retries + 1)
    )


def end_task(task_id: str, state: str | None = None, **_: object) -> None:
    """End the task's span (signal `task_postrun`)."""
    add_attributes(state=str(state), **({"error": state} if state == states.FAILURE else {}))
    _under_way.pop(task_id, ExitStack()).close()
    set_cause(NOTHING)

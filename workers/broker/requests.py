"""A message on its way through a worker's pool."""

from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request


class EngineRequest(Request):
    """Celery's request; if a process dies, the death is counted for its message."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Count the death of the process, before the call is handed back."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError | SystemExit):
            self._note_death()
        return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Count the death when the process is killed at the hard limit."""
        if not soft:
            self._note_death()
        return super().on_timeout(soft, timeout)

    def _note_death(self) -> None:
        self.message.channel.qos.note_death(self.message.delivery_tag)

"""A message on its way through a worker's pool."""

from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request


class EngineRequest(Request):
    """Celery's, which counts the death of a process against the call that it had in hand."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Say that the process died, before the call is handed back for that."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError | SystemExit):
            self._note_death()
        return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Say that the process is killed, where it is."""
        if not soft:
            self._note_death()
        return super().on_timeout(soft, timeout)

    def _note_death(self) -> None:
        self.message.channel.qos.note_death(self.message.delivery_tag)

"""A message on its way through a worker's pool."""

from typing import Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request


class EngineRequest(Request):
    """Celery's request; when a process dies, its call counts that death."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Note that the process died, before the call is handed back."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError | SystemExit):
            self._note_death()
        return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Note the death when the process is killed: at the hard limit."""
        if not soft:
            self._note_death()
        return super().on_timeout(soft, timeout)

    def _note_death(self) -> None:
        self.message.channel.qos.note_death(self.message.delivery_tag)

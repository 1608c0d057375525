"""The demo's script: applications call and operators activate, over HTTP and as tasks."""

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from .sample import CONTACTS_CSV, CONTACTS_MAPPING, WIDGET_KEY, companies
from .site import Site

_ANSWER_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_LOOK_AGAIN_SECONDS = 0.05
#: Every so many steps the calls go as tasks; all others go over HTTP.
_EVERY_TASK = 9


@dataclass
class Script:
    """Plays the demo's calls and remembers what was answered."""

    app: Celery[Any]
    site: Site
    stopping: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    over_http: int = 0
    refusals: list[str] = field(default_factory=list)
    said: str = ""
    finished: bool = False
    failure: BaseException | None = None
    _open: list[AsyncResult[Any]] = field(default_factory=list)

    def run(self) -> None:
        """Play everything; a failure is kept for the main thread."""
        try:
            self._import()
            self._activate()
            self._live()
        except BaseException as error:  # noqa: BLE001 -- the main thread raises it
            self.failure = error
        finally:
            # Drop the results while the broker still runs: each unsubscribes when it is dropped.
            self._open.clear()
        self.finished = True

    def _import(self) -> None:
        self.said = "a CSV of contacts is imported, companies are identified"
        text = CONTACTS_CSV.read_text(encoding="utf-8")
        imported = {"text": text, "mapping": CONTACTS_MAPPING}
        self._send("halo.contacts.import_csv", widget_key=WIDGET_KEY, **imported)
        self._collect(wait=True)
        for company, users in companies():
            for user_id in users:
                self._call("companies.identify", user_id=user_id, **company)

    def _activate(self) -> None:
        self.said = "an operator activates four series"
        for key in ("announcement", "renewal", "trial", "welcome"):
            self._call("series.activate", series=key)

    def _live(self) -> None:
        self.said = "users come, start trials, upgrade, and change"
        for n in range(1, 73):
            if self.stopping.wait(_PAUSE_SECONDS):
                return
            for name, call in self._calls(n):
                if n % _EVERY_TASK:
                    self._call(name, **call)
                else:
                    self._send(f"halo.{name}", widget_key=WIDGET_KEY, **call)
            self._collect(wait=False)
        self.said = "waiting for the last steps to fall due"
        self._collect(wait=True)

    def _calls(self, n: int) -> list[tuple[str, dict[str, Any]]]:
        """Return the applications' calls at step ``n`` of the live part."""
        calls: list[tuple[str, dict[str, Any]]] = []
        old = f"user-{n * 4 % 300 + 1:03}"
        match n % 6:
            case 0:
                new = {"name": f"Newcomer {n}", "email": f"new.{n}@new.example"}
                calls.append(("identify", {"user_id": f"new-{n:02}", "traits": new}))
            case 1:
                began = {"user_id": f"new-{n // 6 * 6:02}", "event": "project_created"}
                if n % 12 == 1 and n > 6:
                    calls.append(("track", began))
            case 2:
                # Six users, again and again: one who has had a trial is refused the next.
                tried = f"user-{n // 6 % 6 + 1:03}"
                calls.append(("track", {"user_id": tried, "event": "trial_started"}))
            case 3:
                tried = f"user-{n // 6 % 6 + 1:03}"
                if n % 12 == 3:
                    calls.append(("track", {"user_id": tried, "event": "plan_upgraded"}))
                else:
                    calls.append(("leads.capture", {"email": f"lead.{n}@lead.example"}))
            case 4:
                due = {"renewal_status": "up_for_renewal"}
                calls.append(("identify", {"user_id": old, "traits": due}))
            case 5:
                wrong = {"renewal_status": "perhaps"} if n % 12 == 5 else {"last_seen": "today"}
                calls.append(("identify", {"user_id": old, "traits": wrong}))
        return calls

    def _send(self, name: str, **kwargs: Any) -> None:
        self._open.append(self.app.send_task(name, kwargs=kwargs))

    def _call(self, name: str, **fields: Any) -> None:
        self._note(self.site.call(name, fields))
        self.over_http += 1

    def _collect(self, *, wait: bool) -> None:
        """Count the answers that have come; with ``wait``, wait for all of them."""
        ends = monotonic() + _ANSWER_SECONDS
        while True:
            there = [result for result in self._open if result.ready()]
            for result in there:
                self._note(result.get())
            self._open = [result for result in self._open if result not in there]
            if not wait or not self._open or self.stopping.wait(_LOOK_AGAIN_SECONDS):
                return
            if monotonic() > ends:
                raise TimeoutError(f"{len(self._open)} calls got no answer")

    def _note(self, answer: Any) -> None:
        if isinstance(answer, dict) and "refused" in answer:
            self.refusals.append(answer["refused"]["message"])
        else:
            self.answered += 1

"""What happens in the demo: applications call, operators activate, all of it as Celery tasks."""

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from workers.demo.sample import CONTACTS_CSV, CONTACTS_MAPPING, ORG, WIDGET_KEY, companies

_ANSWER_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_LOOK_AGAIN_SECONDS = 0.05


@dataclass
class Script:
    """Plays the demo's calls and remembers what was answered."""

    app: Celery[Any]
    stopping: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
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
            # Let go of the answers while the broker still answers: each unsubscribes as it goes.
            self._open.clear()
        self.finished = True

    def _import(self) -> None:
        self.said = "a CSV of contacts is imported, companies are identified"
        text = CONTACTS_CSV.read_text(encoding="utf-8")
        self._ask(
            "halo.contacts.import_csv", widget_key=WIDGET_KEY, text=text, mapping=CONTACTS_MAPPING
        )
        for company, users in companies():
            for user_id in users:
                self._send(
                    "halo.companies.identify", widget_key=WIDGET_KEY, user_id=user_id, **company
                )
        self._collect(wait=True)

    def _activate(self) -> None:
        self.said = "an operator activates four series"
        for key in ("announcement", "renewal", "trial", "welcome"):
            self._ask("halo.series.activate", org=ORG, series=key, by="demo")

    def _live(self) -> None:
        self.said = "users come, start trials, upgrade, and change"
        for n in range(1, 73):
            if self.stopping.wait(_PAUSE_SECONDS):
                return
            for name, call in self._calls(n):
                self._send(name, widget_key=WIDGET_KEY, **call)
            self._collect(wait=False)
        self.said = "waiting for the last steps to fall due"
        self._collect(wait=True)

    def _calls(self, n: int) -> list[tuple[str, dict[str, Any]]]:
        """Return what applications call at beat ``n`` of the live part."""
        calls: list[tuple[str, dict[str, Any]]] = []
        old = f"user-{n * 4 % 300 + 1:03}"
        match n % 6:
            case 0:
                new = {"name": f"Newcomer {n}", "email": f"new.{n}@new.example"}
                calls.append(("halo.identify", {"user_id": f"new-{n:02}", "traits": new}))
            case 1:
                began = {"user_id": f"new-{n // 6 * 6:02}", "event": "project_created"}
                if n % 12 == 1 and n > 6:
                    calls.append(("halo.track", began))
            case 2:
                # Six users, over and over: who had a trial is refused the next one.
                tried = f"user-{n // 6 % 6 + 1:03}"
                calls.append(("halo.track", {"user_id": tried, "event": "trial_started"}))
            case 3:
                tried = f"user-{n // 6 % 6 + 1:03}"
                if n % 12 == 3:
                    calls.append(("halo.track", {"user_id": tried, "event": "plan_upgraded"}))
                else:
                    calls.append(("halo.leads.capture", {"email": f"lead.{n}@lead.example"}))
            case 4:
                due = {"renewal_status": "up_for_renewal"}
                calls.append(("halo.identify", {"user_id": old, "traits": due}))
            case 5:
                wrong = {"renewal_status": "perhaps"} if n % 12 == 5 else {"last_seen": "today"}
                calls.append(("halo.identify", {"user_id": old, "traits": wrong}))
        return calls

    def _send(self, name: str, **kwargs: Any) -> None:
        self._open.append(self.app.send_task(name, kwargs=kwargs))

    def _ask(self, name: str, **kwargs: Any) -> None:
        self._send(name, **kwargs)
        self._collect(wait=True)

    def _collect(self, *, wait: bool) -> None:
        """Count the answers that are there; with ``wait``, all of them unless told to stop."""
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

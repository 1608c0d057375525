"""Calls of an application, made as tasks, and what became of each."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import Any, Final

from celery.exceptions import TaskRevokedError
from kombu.exceptions import OperationalError
from redis import RedisError

from workers.configuration import EngineApp

#: Calls a second.
_RATE: Final = 25.0
#: How many users there come to be.
_USERS: Final = 1_500
#: How many calls are asked about at a time: what waits longest comes first.
_ASKED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that the broker took: the ``number`` th; of an identify, the user's ``turn`` th."""

    number: int
    task: str
    user: str
    turn: int


@dataclass
class Traffic:
    """Identifies and events at a steady rate, from one application that asks for every answer."""

    app: EngineApp
    widget_key: str
    seed: int
    answered: list[Sent] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, Sent] = field(default_factory=dict)
    _turns: Counter[str] = field(default_factory=Counter)
    _known: list[str] = field(default_factory=list)

    def run(self, over: Event) -> None:
        """Call until it is over."""
        chance = random.Random(f"{self.seed} traffic")
        began, number = monotonic(), 0
        while not over.is_set():
            number += 1
            self._call(number, chance)
            if number % 10 == 0:
                self.collect()
            over.wait(max(0.0, began + number / _RATE - monotonic()))

    def _call(self, number: int, chance: random.Random) -> None:
        if self._known and number % 4 == 0:
            user = chance.choice(self._known)
            sent = Sent(number, "halo.track", user, 0)
            call: dict[str, Any] = {
                "event": "paid",
                "properties": {"number": number},
                "idempotency_key": f"paid-{number}",
            }
        else:
            user = f"u{chance.randrange(_USERS)}"
            self._turns[user] += 1
            sent = Sent(number, "halo.identify", user, self._turns[user])
            plan = chance.choice(("pro", "free"))
            traits = {"email": f"{user}@a.example", "plan": plan, turn_field(sent): number}
            call = {"traits": traits}
        self._send(sent, {"widget_key": self.widget_key, "user_id": user, **call})

    def _send(self, sent: Sent, call: Mapping[str, Any]) -> None:
        try:
            result = self.app.send_task(sent.task, kwargs=dict(call), retry=False)
        except (OperationalError, RedisError, OSError):
            self.counted["not taken by the broker"] += 1
            return
        self.counted["taken by the broker"] += 1
        self._waiting[result.id] = sent

    def collect(self) -> int:
        """Ask for the answers of the calls that wait longest; return how many still wait."""
        for id_ in list(self._waiting)[:_ASKED_AT_ONCE]:
            try:
                found = self.app.backend.get_task_meta(id_)
            except (OperationalError, RedisError, OSError):
                break
            sent = self._waiting.pop(id_)
            if found["status"] in ("SUCCESS", "FAILURE"):
                self._note(sent, found["status"], found["result"])
            else:
                # Last in line again.
                self._waiting[id_] = sent
        return len(self._waiting)

    def _note(self, sent: Sent, status: str, result: Any) -> None:
        if status == "FAILURE":
            kind = "revoked" if isinstance(result, TaskRevokedError) else "failed"
            self.counted[kind] += 1
            self.refusals[repr(result)[:200]] += 1
        elif "refused" in result:
            self.counted["refused"] += 1
            self.refusals[result["refused"]["code"]] += 1
        else:
            self.counted["answered"] += 1
            self.answered.append(sent)
            if sent.task == "halo.identify":
                self._known.append(sent.user)

    def give_up(self) -> None:
        """Count the calls that have no answer."""
        self.counted["without an answer"] += len(self._waiting)


def turn_field(sent: Sent) -> str:
    """Return the custom field that this identify of its user alone writes."""
    return f"call_{sent.turn}"

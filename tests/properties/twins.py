"""The engine and the model on one stage: the same actions, and what differs afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, func, select

from halo_engine import engine as halo
from halo_engine.domain.errors import Refusal
from halo_engine.rehearsal.actions.table import play
from halo_engine.rehearsal.expectations import differences
from halo_engine.rehearsal.expected import Expectation
from halo_engine.rehearsal.sandbox import Sandbox, open_sandbox
from halo_engine.rehearsal.scenario import read_scenario
from halo_engine.tables import signals
from halo_engine.work import Work
from tests.model.language.refusals import RefusedError
from tests.model.playing.snapshot import snapshot
from tests.model.world import World

Value = Any
Written = dict[str, Any]

#: Actions whose value is a series key or an instant; the others' is a mapping.
_PLAIN = ("at", "activate", "pause", "resume", "stop")
#: What both answer in the same words.
_ANSWERS = (
    *("created", "updated", "skipped", "errors", "leaves"),  # of calls about contacts
    *("breaks", "refusals", "active"),  # of changes, and of plans of them
)
_CONTACT = ("email", "contact_type", "source", "first_seen", "signed_up_at", "last_contacted_at")


class DisagreementError(AssertionError):
    """The engine and the model differ; the message ends in the scenario that shows it."""


class Twins:
    """An engine and a model that were set on the same stage; ``timeline`` is what they played."""

    def __init__(self, written: Written, sandbox: Sandbox) -> None:
        self.written = written
        self.sandbox = sandbox
        parts = {key: written[key] for key in ("start", "org", "lists", "series")}
        self.world = World(**deepcopy(parts))
        self.timeline: list[dict[str, Any]] = []

    def play(self, name: str, value: Value) -> None:
        """Play an action in both; they must refuse it alike, and answer alike."""
        entry = {name: deepcopy(value)}
        self.timeline.append(entry)
        refused, answer = self._play_in_model(name, deepcopy(value))
        if refused is not None:
            entry["error"] = {"status": refused.status}
        try:
            play(self.sandbox, name, deepcopy(value))
        except Refusal as refusal:
            if refused is None or refusal.status != refused.status:
                self._disagree([f"{name}: the engine refused: {refusal.status} {refusal}"])
        except Exception as fault:
            problem = f"{name}: the engine failed: {type(fault).__name__}: {fault}"
            raise DisagreementError(self._report([problem[:2000]])) from fault
        else:
            if refused is not None:
                self._disagree([f"{name}: the engine did not refuse: {refused}"])
            if answer:
                self._expect({"answer": answer, **self._planned(name)})

    def _planned(self, name: str) -> dict[str, Any]:
        """Return what is expected of a plan; nothing after any other action."""
        if name != "plan" or self.world.last_plan is None:
            return {}
        plan = self.world.last_plan.as_expected()
        return {"plan": {**plan, "exits": dict(plan["exits"])}}

    def _play_in_model(self, name: str, value: Value) -> tuple[RefusedError | None, Value]:
        act = getattr(self.world, name)
        try:
            answer = act(value) if name in _PLAIN else act(**value)
        except RefusedError as refusal:
            return refusal, None
        return None, {key: answer[key] for key in _ANSWERS if answer and key in answer}

    def compare(self) -> None:
        """Raise a `DisagreementError` unless everything expected of both is the same."""
        waiting = self.sandbox.perform(_waiting_signals)
        if waiting:
            self._disagree([f"signals still wait, the first with: {waiting}"])
        self._expect(self._everything())

    def _everything(self) -> dict[str, Any]:
        found = snapshot(self.world)
        found["mail"] = [{"to": each.to, "subject": each.subject} for each in self.world.mail()]
        found["contact"] = {
            contact.label: {
                name: _written(value)
                for name, value in (self.world.contact_values(contact.label) or {}).items()
                if name in _CONTACT or name.startswith("custom:")
            }
            for contact in self.world.contacts
        }
        return found

    def _expect(self, expected: dict[str, Any]) -> None:
        found = differences(self.sandbox, Expectation.model_validate(expected))
        if found:
            self.timeline.append({"expect": self._narrowed(expected)})
            self._disagree(found)

    def _narrowed(self, expected: dict[str, Any]) -> dict[str, Any]:
        """Leave of an expectation only what does not hold."""
        kept: dict[str, Any] = {}
        for name, value in expected.items():
            parts = value.items() if isinstance(value, dict) and name != "answer" else [("", value)]
            wrong = {
                key: part
                for key, part in parts
                if differences(
                    self.sandbox, Expectation.model_validate({name: {key: part} if key else part})
                )
            }
            if wrong:
                kept[name] = wrong.get("", wrong)
        return kept

    def _disagree(self, lines: list[str]) -> None:
        raise DisagreementError(self._report(lines))

    def _report(self, lines: list[str]) -> str:
        engine = "The engine"
        if isinstance(self.sandbox, LiveSandbox):
            engine += ", which kept its caches,"
        return "\n".join([f"{engine} differs from the model.", *lines, "", self.as_yaml()])

    def as_yaml(self) -> str:
        """Return what was played as a scenario file."""
        scenario = {"scenario": "Found by the state machine", **self.written}
        return yaml.safe_dump(
            {**scenario, "timeline": self.timeline},
            sort_keys=False,
            default_flow_style=None,
            allow_unicode=True,
            width=100,
        )


class LiveSandbox(Sandbox):
    """A sandbox with one engine to the end, which keeps its caches as a worker does."""

    @cached_property
    def engine(self) -> halo.Engine:
        """The engine that was made first."""
        return super().engine


@contextmanager
def set_twins(
    written: Written, database: Engine, folder: Path, kind: type[Sandbox] = Sandbox
) -> Iterator[Twins]:
    """Set both on the sandbox that is ``written`` as a scenario file writes it."""
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump({"scenario": "generated", **written}), encoding="utf-8")
    with open_sandbox(read_scenario(path), database, kind) as sandbox:
        yield Twins(written, sandbox)


def _waiting_signals(work: Work) -> str | None:
    waiting = select(func.coalesce(signals.c.error, "no error")).where(
        signals.c.org_id == work.org_id
    )
    return work.connection.scalars(waiting).first()


def _written(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value

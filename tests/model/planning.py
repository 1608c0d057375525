"""What a save would do: found by saving in a copy of the world (contract §18)."""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.model.answers import Answers
from tests.model.language.refusals import refuse_unless
from tests.model.language.series import Definition
from tests.model.runs import Row, Run, Series


@dataclass
class Plan:
    """The fate of each active run, in order of creation, and who is outside.

    `refusals` are why an active series could not be saved so.
    """

    refusals: list[str] = field(default_factory=list)
    fates: list[tuple[str, str | None]] = field(default_factory=list)
    matched: tuple[int, int] = (0, 0)
    would_enter: int | None = 0

    def as_expected(self) -> dict[str, Any]:
        """Return the counts as scenarios write them."""
        counts = Counter(fate for fate, _ in self.fates)
        names = ("stays", "rescheduled", "sent_now", "skips_step", "completes")
        entering = {} if self.would_enter is None else {"would_enter": self.would_enter}
        return {
            **{name: counts[name] for name in names},
            "exits": Counter(reason for fate, reason in self.fates if fate == "exits"),
            "matched": list(self.matched),
            **entering,
        }


class Planning(Answers):
    """The part of the world that says what a save would do, and saves nothing."""

    last_plan: Plan | None = None

    def plan(self, *, reschedule: bool = False, **changes: Any) -> dict[str, Any]:
        """Plan saving one series, merged over its last definition."""
        refuse_unless(len(changes) == 1, 400, "a plan is of one series")
        [(key, change)] = changes.items()
        copy = deepcopy(self)
        self.last_plan = copy.plan_here(key, change, reschedule=reschedule)
        return {"refusals": self.last_plan.refusals, "active": len(self.last_plan.fates)}

    def plan_here(self, key: str, change: Any, *, reschedule: bool) -> Plan:
        """Save in this world, and say what that does."""
        series = self.known_series(key)
        definition = self.changed(key, change)
        refusals = self.refusals(key, definition)
        waiting = {id(run): run.rows[-1].scheduled_for for run in series.active_runs()}
        before = self._matched_outside(series)
        if reschedule:
            self.reschedule(series, definition)
        self.replace_definition(series, definition)
        self.open_gates(series.active_runs())
        staying: list[Run] = []
        fates: list[tuple[str, str | None]] = []
        for run in series.active_runs():
            reason = self._leaves(run, staying)
            if reason is None:
                staying.append(run)
            row = run.rows[-1]
            fates.append(
                ("exits", reason) if reason else (self._fate(run, row, waiting[id(run)]), None)
            )
        plan = Plan(refusals, fates, (before, self._matched_outside(series)))
        # What is refused may have no step to enter at.
        plan.would_enter = None if refusals else self._entering(series)
        return plan

    def _leaves(self, run: Run, staying: list[Run]) -> str | None:
        """Return why a run leaves; those who stay were enrolled before it."""
        reason = self.exit_reason(run)
        if reason not in (None, "company_already_enrolled"):
            return reason
        rivals = self.rivals(run.series, run.contact)
        return "company_already_enrolled" if any(each in rivals for each in staying) else None

    def _fate(self, run: Run, row: Row, waited_until: object) -> str:
        definition: Definition = run.series.definition
        if definition.position(row.step) is None:
            been = {each.step for each in run.rows}
            later = [
                step.key
                for number, step in enumerate(definition.steps)
                if number >= row.position and step.key not in been
            ]
            return "skips_step" if later else "completes"
        if row.scheduled_for == waited_until:
            return "stays"
        return "sent_now" if row.scheduled_for <= self.now else "rescheduled"

    def _matched_outside(self, series: Series) -> int:
        inside = [run.contact for run in series.active_runs()]
        return sum(contact not in inside for contact in self.matched_contacts(series))

    def _entering(self, series: Series) -> int:
        """Count who enters at the next re-evaluation, once the crowds of companies are settled."""
        if series.status != "active" or series.definition.entry_trigger != "segment_match":
            return 0
        for signal in [*self.signals]:
            for contact in signal.contacts:
                latest = series.latest_run(contact)
                if latest is not None:
                    self.check_exit(latest)
        before = len(series.runs)
        for contact in self.contacts:
            self.try_to_enroll(series, contact, self.now, planned=True)
        return len(series.runs) - before

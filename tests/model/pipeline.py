"""What moves a series: signals, and time (contract §1, §2)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.model.journey import Journey
from tests.model.language.clock import parse_duration, parse_instant
from tests.model.language.people import Contact
from tests.model.language.refusals import refuse_unless
from tests.model.runs import Run, Series
from tests.model.signals import EVERYTHING, Signal


class Pipeline(Journey):
    """The part of the world that handles signals and plays ticks (contract §1)."""

    def settle(self) -> None:
        """Handle all signals, then due rows, then a due re-evaluation, until nothing is due."""
        while True:
            due = self.due_rows()
            if self.signals:
                self._react(self.signals.popleft())
            elif due:
                self.handle_rows(due)
            elif self.go_on_releasing():
                continue
            elif self.reevaluate_at <= self.now:
                self._reevaluate()
            else:
                return

    def at(self, target: str) -> None:
        """Play every instant up to an instant, or a duration such as `+2d` from now, then tick.

        Raises `RefusedError` (400) when it lies in the past.
        """
        if target.startswith("+"):
            end = self.now + parse_duration(target[1:])
        else:
            end = parse_instant(target, ZoneInfo("UTC"))
        refuse_unless(end >= self.now, 400, f"at {target}: the clock never goes back")
        while self.now < end:
            self.now = min(end, self._next_instant())
            self.settle()
        self.settle()

    def _next_instant(self) -> datetime:
        rows = (row.scheduled_for for _, row in self.waiting_rows())
        return min([self.reevaluate_at, *rows, *self._next_releases()])

    def _next_releases(self) -> Iterator[datetime]:
        """Yield when those who entered by a release at a pace no longer count (contract §19)."""
        for series in self.series.values():
            if series.pace and series.status == "active":
                ends = (begun + series.pace[1] for begun in series.released)
                yield from (end for end in ends if end > self.now)

    def go_on_releasing(self) -> bool:
        """Let in who may enter now of those who are released at a pace; say whether anybody was
        judged (contract §19).
        """
        judged = False
        for series in self.series.values():
            if series.pace is None or series.status != "active":
                continue
            while series.held and self._may_release(series, *series.pace):
                self._release_first(series)
                judged = True
            if not series.held:
                series.pace = None
            self.complete_if_done(series)
        return judged

    def _may_release(self, series: Series, at_most: int, within: timedelta) -> bool:
        """Say whether the span that ends now has room for one more."""
        return sum(self.now - begun < within for begun in series.released) < at_most

    def _release_first(self, series: Series) -> None:
        contact = next(iter(series.held))
        kept, runs = series.held.pop(contact), len(series.runs)
        begun = series.definition.entry_trigger == "event"
        self.try_to_enroll(series, contact, self.now, kept=kept if begun else {}, planned=True)
        if len(series.runs) > runs:
            series.released.append(self.now)

    def _runs_of(self, contacts: tuple[Contact, ...]) -> list[Run]:
        return [run for s in self.series.values() for run in s.runs if run.contact in contacts]

    def _react(self, signal: Signal) -> None:
        """Exits, then goals, then entries: all contacts before the next kind (contract §1)."""
        with self.seen_later():
            for run in self._runs_of(signal.contacts):
                self.check_exit(run)
        if signal.moved:
            self._end_later_rivals(signal.contacts)
        for run in self._runs_of(signal.contacts):
            self.check_goal(run)
        if signal.event is not None or signal.changed == EVERYTHING:
            self.open_gates(run for run in self._runs_of(signal.contacts) if run.is_active)
        with self.seen_later():
            for contact in sorted(signal.contacts, key=lambda each: each.number):
                for series in self.series.values():
                    self._offer(series, contact, signal)
                    self._offer_again(series, contact, signal)

    def _offer_again(self, series: Series, contact: Contact, signal: Signal) -> None:
        """Judge who waits for data again, unless the change is silent (contract §23)."""
        has_changed = signal.created or signal.promoted or signal.moved or signal.changed
        if has_changed or (signal.event is not None and series.definition.names_events()):
            self.judge_again(series, contact)

    def _end_later_rivals(self, contacts: tuple[Contact, ...]) -> None:
        """The seat follows the contact: where two meet, the later enrollment ends (guard 10)."""
        for run in self._runs_of(contacts):
            for rival in self.rivals(run.series, run.contact) if run.is_active else ():
                if rival.order > run.order:
                    self.exit(rival, "company_already_enrolled")

    def _offer(self, series: Series, contact: Contact, signal: Signal) -> None:
        definition = series.definition
        promoted = signal.promoted and definition.contact_type == "user"
        match definition.entry_trigger:
            case "user_created":
                if signal.created or promoted:
                    self.try_to_enroll(series, contact, self.now)
            case "event":
                event = signal.event
                named = event and event.name == definition.settings["entry_event_name"]
                if event and named and self.event_holds(event, definition.entry_event_filters):
                    self.try_to_enroll(series, contact, event.timestamp, event)
            case "segment_match":
                at_the_door = (
                    promoted
                    or definition.names(signal.changed)
                    or (signal.event is not None and definition.names_events())
                )
                self.look(series, contact)
                if at_the_door:
                    self.try_to_enroll(series, contact, self.now)

    def _reevaluate(self) -> None:
        """Pass over every contact: who left, who newly matches, whose goal holds (§4, §7)."""
        self.reevaluate_at = self.cron.after(self.now)
        for contact in self.contacts:
            for series in self.series.values():
                if series.definition.entry_trigger == "segment_match":
                    self.look(series, contact)
            for run in self._runs_of((contact,)):
                self.check_goal(run)
        with self.seen_later():
            for contact in self.contacts:
                for series in self.series.values():
                    if series.definition.entry_trigger == "segment_match":
                        self.try_to_enroll(series, contact, self.now)

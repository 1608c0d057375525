"""How contacts walk a series and leave it: exits, goals, due rows (contract §5, §6, §7)."""

from collections.abc import Iterable
from datetime import timedelta

from tests.model.entry import Entry
from tests.model.language.events import EventGroups
from tests.model.language.expressions import parse_expression
from tests.model.language.people import Contact
from tests.model.language.series import Step
from tests.model.rendering import render_mail
from tests.model.runs import Row, Run, Series


class Journey(Entry):
    """The part of the world that moves runs on and ends them (contract §5, §6, §7)."""

    def exit_reason(self, run: Run) -> str | None:
        """Return the first exit rule, in the table's order, that holds for a run (contract §6)."""
        series, contact = run.series, run.contact
        definition = series.definition
        listed = definition.audience_type == "subscription"
        segmented = definition.audience_type == "segment"
        checks = {
            "unsubscribed": listed and not self.is_subscribed(contact, series),
            "replied": run.replied,
            "segment_leave": segmented and not self.in_source(contact, series),
            "event": self.fired_since(
                run, definition.settings["exit_event_name"], run, definition.exit_event_filters
            ),
            "filter_match": self.exit_filters_hold(series, contact),
        }
        for rule, holds in checks.items():
            if holds and rule in definition.settings["exit_rules"]:
                return rule
        if self.is_suppressed(contact):
            return "suppressed"
        earlier = [rival for rival in self.rivals(series, contact) if rival.order < run.order]
        return "company_already_enrolled" if earlier else None

    def fired_since(
        self, run: Run, name: str | None, since: Run | Row, filters: EventGroups
    ) -> bool:
        """Say whether an event that counts fired at or after a run or a row began (§5, §6, §21)."""
        return any(
            event.contact is run.contact
            and event.name == name
            and not event.only_counts
            and event.is_after(since.created_at, since.order)
            and self.event_holds(event, filters, run.properties)
            for event in self.events
        )

    def open_gates(self, runs: Iterable[Run]) -> None:
        """Make the early gates due whose event has fired since the contact reached them (§21)."""
        for run in runs:
            row = run.rows[-1]
            position = run.series.definition.position(row.step)
            if run.series.status != "active" or position is None or row.status != "pending":
                continue
            step = run.series.definition.steps[position]
            if step.is_early and row.scheduled_for > self.now and self._fired(run, row, step):
                row.scheduled_for, row.is_open = self.now, True

    def _fired(self, run: Run, row: Row, step: Step) -> bool:
        assert step.condition is not None
        return self.fired_since(run, step.condition.get("value"), row, step.filters)

    def check_exit(self, run: Run) -> None:
        """End an active run when an exit rule holds (contract §6)."""
        reason = self.exit_reason(run) if run.is_active else None
        if reason:
            self.exit(run, reason)

    def exit(self, run: Run, reason: str) -> None:
        """End an active run: its active row becomes `exited` with this reason (contract §6)."""
        row = run.rows[-1]
        row.status, row.exit_reason = "exited", reason
        self._end(run, reason)

    def _end(self, run: Run, reason: str) -> None:
        self.moves(run.contact, run.series.key)
        run.end_reason = reason
        self.complete_if_done(run.series)

    def complete_if_done(self, series: Series) -> None:
        """Complete a manual series that has no active run left (contract §4, §8)."""
        manual = series.definition.entry_trigger == "manual"
        if manual and series.status in ("active", "paused") and not series.active_runs():
            self.stop_being_active(series)
            series.status = "completed"

    def stop_being_active(self, series: Series) -> None:
        """Close the span in which the series was active, if one is open (contract §4)."""
        if series.periods and series.periods[-1][1] is None:
            series.periods[-1] = (series.periods[-1][0], self.now)

    def check_goal(self, run: Run) -> None:
        """Convert a run whose goal starts to hold within its window (contract §7)."""
        definition = run.series.definition
        if not definition.settings["goal_enabled"]:
            return
        holds = self.holds(run.contact, definition.goal_filters, run)
        window = timedelta(days=definition.settings["goal_window_days"])
        starts = holds and not run.goal_held and self.now - run.created_at <= window
        if starts and run.converted_at is None:
            run.converted_at = self.now
        run.goal_held = holds

    def due_rows(self) -> list[tuple[Run, Row]]:
        """Return the rows to handle next: of active series, due by now, in order (contract §1).

        Where series are named, a contact's second row waits until the first is done (§22).
        """
        due = [(run, row) for run, row in self.waiting_rows() if row.scheduled_for <= self.now]
        due.sort(key=lambda each: (each[1].scheduled_for, each[1].order))
        if not self.announced:
            return due
        firsts: dict[Contact, tuple[Run, Row]] = {}
        for run, row in due:
            firsts.setdefault(run.contact, (run, row))
        return [*firsts.values()]

    def handle_rows(self, due: list[tuple[Run, Row]]) -> None:
        """Handle rows that are due, in order, and then send their mails (decision 14)."""
        for run, row in due:
            if run.is_active and run.series.status == "active":
                self.handle_row(run, row)
        for contact in self.mailed:
            contact.last_contacted_at = self.now
        self.mailed.clear()

    def waiting_rows(self) -> list[tuple[Run, Row]]:
        """Return the pending rows of active series, each with its run."""
        return [
            (run, run.rows[-1])
            for series in self.series.values()
            if series.status == "active"
            for run in series.active_runs()
        ]

    def handle_row(self, run: Run, row: Row) -> None:
        """Handle a due row: exits, goals, the step, then the next row or the end (§5, §7)."""
        self.check_exit(run)
        self.check_goal(run)
        if not run.is_active:
            return
        definition = run.series.definition
        position = definition.position(row.step)
        if position is None:
            row.status, row.reason = "skipped", "step_removed"
            self._advance(run, row, row.position)
            return
        step = definition.steps[position]
        if step.condition is not None:
            self._pass_gate(run, row, step, position)
        else:
            self._mail(run, row, step, position)

    def _advance(self, run: Run, row: Row, position: int) -> None:
        """Reach the first step at or after a position that this run has not been at, or end."""
        been = {each.step for each in run.rows}
        for number, step in enumerate(run.series.definition.steps):
            if number >= position and step.key not in been:
                self.reach(run, step, number)
                return
        row.exit_reason = "completed"
        self._end(run, "completed")

    def _pass_gate(self, run: Run, row: Row, step: Step, position: int) -> None:
        if self._condition_holds(run, row, step):
            row.status = "completed"
            self._advance(run, row, position + 1)
        else:
            row.status, row.reason = "skipped", "condition_not_met"
            self._end(run, "condition_not_met")

    def _condition_holds(self, run: Run, row: Row, step: Step) -> bool:
        assert step.condition is not None
        value = step.condition.get("value")
        machines = run.series.definition.settings["count_machine_opens"]
        match step.condition["type"]:
            case "email_opened":
                last = run.mails[-1] if run.mails else None
                return bool(last and (last.opened or (machines and last.machine_opened)))
            case "link_clicked":
                return any(m.clicked or (machines and m.machine_clicked) for m in run.mails)
            case "event_fired":
                return (step.is_early and row.is_open) or self._fired(run, row, step)
        expression = parse_expression(value)
        stored = self.value(run.contact, expression.field, kept=run.properties)
        return expression.passes(stored, self.now, self.zone)

    def _mail(self, run: Run, row: Row, step: Step, position: int) -> None:
        definition = run.series.definition
        opening = self.first_time(definition, step, run.contact, self.now)
        latest = None if step.send_by is None else row.first_due + step.send_by
        capped = self.capped_until(definition, step, run.contact)
        listed = definition.audience_type == "subscription"
        if run.contact.email is None:
            row.status, row.reason = "skipped", "no_email"
        elif listed and not self.is_subscribed(run.contact, run.series):
            row.status, row.reason = "skipped", "unsubscribed"
        elif latest and self.now > latest:
            row.status, row.reason = "skipped", "too_late"
        elif opening is None:
            row.status, row.reason = "skipped", "quiet_hours"
        elif latest and opening > latest:
            row.status, row.reason = "skipped", "too_late"
        elif opening > self.now:
            row.scheduled_for = opening
            return
        elif capped and definition.settings["when_capped"] == "wait":
            until = self.due_at(definition, step, run.contact, capped)
            if latest is None or until <= latest:
                row.scheduled_for = until
                return
            row.status, row.reason = "skipped", "too_late"
        elif capped:
            row.status, row.reason = "skipped", "frequency_cap"
        else:
            mail = render_mail(self, run, step)
            mail.sent_at, mail.is_marketing = self.now, definition.kind == "marketing"
            run.mails.append(mail)
            self.outbox.append(mail)
            self.mailed.append(run.contact)
            row.status = "completed"
        self._advance(run, row, position + 1)

"""How contacts enter a series: the guards, the enrollment, and when its row is due (§4, §20)."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from tests.model.language.events import kept_of
from tests.model.language.people import Contact, Event
from tests.model.language.series import Definition, Step, Surge
from tests.model.language.windows import Window
from tests.model.runs import Row, Run, Series, Waiting, Watch
from tests.model.state import State

ZONES = available_timezones()
#: A contact for whom window and quiet hours do not meet within this is passed over.
FURTHEST = timedelta(days=8)


class Timing(State):
    """The part of the world that knows when mail may go out."""

    def zone_of(self, contact: Contact) -> ZoneInfo | None:
        """Return the zone that a contact's trait names, if it names one."""
        name = contact.custom.get("timezone")
        return ZoneInfo(name) if isinstance(name, str) and name in ZONES else None

    def quiet_hours_of(self, definition: Definition, step: Step) -> Window | None:
        """Return the quiet hours that hold for a step: of marketing emails alone."""
        is_marketing = definition.kind == "marketing" and step.email is not None
        return self.quiet_hours if is_marketing else None

    def first_time(
        self, definition: Definition, step: Step, contact: Contact, instant: datetime
    ) -> datetime | None:
        """Return when an email may be sent from an instant on: it moves to the end of the quiet
        hours, then into its window, until both hold. None if that is not within eight days.
        """
        zone, quiet = self.zone_of(contact), self.quiet_hours_of(definition, step)
        found = instant
        while True:
            later = quiet.end_of(found, zone) if quiet else found
            later = step.window.next_opening(later, zone) if step.window else later
            if later == found:
                return found
            found = later
            if quiet and step.window and found > instant + FURTHEST:
                return None

    def due_at(
        self, definition: Definition, step: Step, contact: Contact, instant: datetime
    ) -> datetime:
        """Return when a row is due that would be due at an instant."""
        return self.first_time(definition, step, contact, instant) or instant

    def mails_that_count(self, contact: Contact) -> list[datetime]:
        """Return when a contact got marketing, of any series."""
        return [
            mail.sent_at
            for series in self.series.values()
            for run in series.runs
            for mail in run.mails
            if run.contact is contact and mail.is_marketing and mail.sent_at
        ]

    def capped_until(self, definition: Definition, step: Step, contact: Contact) -> datetime | None:
        """Return the first instant at which all caps allow an email, if that is not now: exactly a
        cap's length ago no longer counts.
        """
        if definition.kind != "marketing" or step.ignore_caps:
            return None
        mails = self.mails_that_count(contact)
        freed = {mail + within for mail in mails for _, within in self.caps}
        for instant in sorted({self.now, *(each for each in freed if each > self.now)}):
            counted = [sum(mail > instant - within for mail in mails) for _, within in self.caps]
            if all(n < most for n, (most, _) in zip(counted, self.caps, strict=True)):
                return None if instant == self.now else instant
        raise AssertionError("caps never allow a mail")

    def swallowed(self, definition: Definition, step: Step) -> bool:
        """Say whether a window lies inside the quiet hours of the same clock (check 10)."""
        quiet = self.quiet_hours_of(definition, step)
        if quiet is None or step.window is None or quiet.clock() != step.window.clock():
            return False
        return step.window.minutes() <= quiet.minutes()


class Entry(Timing):
    """The part of the world that admits contacts to series, or says why not (contract §4)."""

    def refusal_code(self, series: Series, contact: Contact, happened_at: datetime) -> str | None:
        """Return the code of the first guard that refuses, or None (contract §4).

        `happened_at` is the instant of the trigger; everything else is judged as it stands now.
        """
        if series.status != "active" or not series.was_active_at(happened_at):
            return "series_not_active"
        if not self.fits_type(contact, series):
            return "contact_type"
        if not self.in_audience(contact, series):
            return "audience_mismatch"
        if self.is_suppressed(contact):
            return "suppressed"
        return (
            self._history_code(series, contact)
            or self._state_code(series, contact)
            or self._discard_code(series, contact)
        )

    def _discard_code(self, series: Series, contact: Contact) -> str | None:
        """Whoever was discarded has to be seen outside first, where a match brings in (§19)."""
        watch = series.discarded.get(contact)
        if watch is None or series.definition.entry_trigger != "segment_match":
            return None
        return "surge_discarded" if watch.inside and not watch.newly else None

    def _history_code(self, series: Series, contact: Contact) -> str | None:
        latest = series.latest_run(contact)
        if latest is None:
            return None
        settings = series.definition.settings
        if latest.is_active:
            return "already_active"
        if not settings["reenroll_enabled"]:
            return "already_enrolled"
        if self.now - latest.created_at < timedelta(days=settings["reenroll_delay_days"] or 0):
            return "reenroll_delay"
        # The audience holds now: one that was last seen outside is about to come in.
        watch = self._watch(series, contact)
        stayed = watch.inside and not watch.newly
        segment_match = series.definition.entry_trigger == "segment_match"
        return "not_newly_matching" if segment_match and stayed else None

    def _state_code(self, series: Series, contact: Contact) -> str | None:
        if self.exit_filters_hold(series, contact):
            return "exit_filter"
        if self.rivals(series, contact):
            return "company_already_enrolled"
        return "address_already_enrolled" if self._namesakes(series, contact) else None

    def _namesakes(self, series: Series, contact: Contact) -> list[Run]:
        """Return the active runs that began with the contact's address (§23, guard 11)."""
        if not series.definition.settings["one_per_address"] or contact.address is None:
            return []
        return [run for run in series.active_runs() if run.address == contact.address]

    def exit_filters_hold(self, series: Series, contact: Contact) -> bool:
        """Say whether exit rule `filter_match` is on and its filters hold now (contract §6)."""
        definition = series.definition
        on = "filter_match" in definition.settings["exit_rules"]
        return on and self.holds(contact, definition.exit_filters)

    def rivals(self, series: Series, contact: Contact) -> list[Run]:
        """Return the active runs of the contact's company, others than its own (guard 10)."""
        if not series.definition.settings["one_per_company"] or contact.company is None:
            return []
        return [
            run
            for run in series.active_runs()
            if run.contact is not contact and run.contact.company is contact.company
        ]

    def _watch(self, series: Series, contact: Contact) -> Watch:
        return series.watches.setdefault(contact, Watch())

    def look(self, series: Series, contact: Contact) -> None:
        """See whether a contact is in the audience, on an occasion that counts (guard 8)."""
        inside = self.in_audience(contact, series)
        discarded = series.discarded.get(contact)
        for watch in (self._watch(series, contact), *([discarded] if discarded else [])):
            if inside != watch.inside:
                watch.newly = True
            watch.inside = inside

    def look_at_new_definition(self, series: Series) -> None:
        """Take the audience of a new definition as it is: that is no leaving (guard 8)."""
        for contact, watch in (*series.watches.items(), *series.discarded.items()):
            watch.inside = self.in_audience(contact, series)

    def try_to_enroll(
        self,
        series: Series,
        contact: Contact,
        happened_at: datetime,
        event: Event | None = None,
        *,
        planned: bool = False,
        kept: dict[str, Any] | None = None,
    ) -> None:
        """Enroll a contact, or keep the refusal where its trigger has an instant (contract §4).

        A trigger while the series was not active never reached the contact: nothing is kept. The
        run keeps the properties of an `event` that began it (contract §21). The surge neither
        counts nor holds whom somebody `planned` to enter (§19).
        """
        code = self.refusal_code(series, contact, happened_at)
        has_instant = series.definition.entry_trigger in ("user_created", "event")
        # Who is released comes with what was kept, and has no trigger to wait after (§23).
        if has_instant and kept is None and series.was_active_at(happened_at):
            self._note_waiting(
                series, contact, code, Waiting(happened_at, event, self.next_order())
            )
        properties = _properties_kept(event) if kept is None else kept
        if code is None and not (planned or self.surges_left_out):
            self._pass_surge(series, contact, properties)
        elif code is None:
            self._enroll(series, contact, properties)
        elif has_instant and series.was_active_at(happened_at) and code != "already_active":
            series.refusals[contact] = (code, self.next_order())

    #: Whether everybody counts as planned: in a trial.
    surges_left_out = False

    def _pass_surge(self, series: Series, contact: Contact, kept: dict[str, Any]) -> None:
        """Guard 12: enroll a contact, or hold it behind those who are held (contract §19)."""
        surge = series.definition.surge
        most = series.surge_at_most
        if series.held or (surge and most and self._entered_within(series, surge) >= most):
            series.held.setdefault(contact, kept)
            series.discarded.pop(contact, None)
            return
        if surge:
            series.begun.append(self.now)
        self._enroll(series, contact, kept)

    def _entered_within(self, series: Series, surge: Surge) -> int:
        """Count the entries of the span that ends now; one exactly so long ago is outside it."""
        return sum(self.now - begun < surge.within for begun in series.begun)

    def _note_waiting(
        self, series: Series, contact: Contact, code: str | None, trigger: Waiting
    ) -> None:
        """Let a contact wait whom guard 3 refused; of two triggers the later counts (§23)."""
        patience = series.definition.patience
        if not patience:
            return
        before = series.waiting.get(contact)
        is_latest = before is None or before.fired_at <= trigger.fired_at
        if code != "audience_mismatch":
            if is_latest or self.in_audience(contact, series):
                series.waiting.pop(contact, None)
        elif is_latest and self.now <= trigger.fired_at + patience:
            series.waiting[contact] = trigger

    def waits(self, series: Series, contact: Contact) -> bool:
        """Say whether a contact waits for data (contract §23)."""
        trigger, latest = series.waiting.get(contact), series.latest_run(contact)
        return (
            trigger is not None
            and bool(series.definition.patience)
            and self.now <= trigger.fired_at + series.definition.patience
            and (latest is None or trigger.order > latest.order)
        )

    def judge_again(self, series: Series, contact: Contact) -> None:
        """Judge a contact who waits, after a change; guard 3 decides whether that is all (§23)."""
        trigger = series.waiting.get(contact)
        definition = series.definition
        if not definition.patience or trigger is None:
            return
        if self.now > trigger.fired_at + definition.patience:
            return
        filters = definition.entry_event_filters if definition.entry_trigger == "event" else []
        if filters and not (trigger.event and self.event_holds(trigger.event, filters)):
            return
        if not self.in_audience(contact, series):
            return
        del series.waiting[contact]
        code = self.refusal_code(series, contact, trigger.fired_at)
        if code is None and not self.surges_left_out:
            self._pass_surge(series, contact, _properties_kept(trigger.event))
        elif code is None:
            self._enroll(series, contact, _properties_kept(trigger.event))
        elif code != "already_active":
            series.refusals[contact] = (code, self.next_order())

    def _enroll(self, series: Series, contact: Contact, kept: dict[str, Any]) -> None:
        series.held.pop(contact, None)
        series.discarded.pop(contact, None)
        latest = series.latest_run(contact)
        if latest is not None:
            latest.rows.clear()
        self.moves(contact, series.key)
        run = Run(series, contact, self.now, self.next_order(), contact.address, properties=kept)
        run.goal_held = self.holds(contact, series.definition.goal_filters, run)
        series.runs.append(run)
        series.watches[contact] = Watch()
        self.reach(run, series.definition.steps[0], 0)

    def reach(self, run: Run, step: Step, position: int) -> None:
        """Write the row of a step that a run reaches now (contract §5)."""
        due = self.now + step.delay
        scheduled_for = self.due_at(run.series.definition, step, run.contact, due)
        order = self.next_order()
        run.rows.append(Row(step.key, position, self.now, scheduled_for, order, scheduled_for))


def _properties_kept(event: Event | None) -> dict[str, Any]:
    return kept_of(event.properties if event and event.properties else {})

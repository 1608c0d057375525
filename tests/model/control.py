"""What a person does to a series: save, activate, pause, resume, remove (contract §8)."""

from datetime import timedelta
from typing import Any

from tests.model.activity import Activity
from tests.model.language.caps import parse_caps
from tests.model.language.clock import parse_duration
from tests.model.language.people import Contact
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.series import Definition, merge, parse_definition, series_in
from tests.model.language.windows import parse_quiet_hours
from tests.model.runs import Series, Watch
from tests.model.signals import Signal

NO_LIST = "Pick a subscription list under Audience before activating."
NO_FILTER = "Audience source is \u2018Filter by criteria\u2019 but no filter is set."
NOT_A_SEGMENT = (
    "\u2018Matches the audience filter\u2019 trigger needs Audience source set to "
    "\u2018Filter by criteria\u2019."
)
NO_EVENT = "Set an event name under Trigger before activating."
NOBODY = "No contacts match this audience right now."
NO_DOMAIN = "A verified custom domain is required to send broadcasts and email series."
NO_FOOTER = "Marketing emails require a company footer."
NO_STEPS = "Add at least one step before activating."


def _starts(definition: Definition) -> set[str]:
    """Return the series whose stages let contacts enter by the audience (contract §22)."""
    is_segment = definition.audience_type == "segment"
    enters = definition.entry_trigger == "segment_match" and is_segment
    return series_in(definition.audience_filters) if enters else set()


def _repeats(definition: Definition) -> bool:
    settings = definition.settings
    return bool(settings["reenroll_enabled"]) and not settings["reenroll_delay_days"]


class Control(Activity):
    """The part of the world through which people work on series (contract §8)."""

    def preflight(self, key: str) -> list[str]:
        """Return every failing check of a series' activation, in order (contract §8)."""
        series = self.known_series(key)
        return self._failing_checks(series, series.definition, first=series.status == "draft")

    def _failing_checks(self, series: Series, definition: Definition, *, first: bool) -> list[str]:
        audience, trigger = definition.audience_type, definition.entry_trigger
        unlisted = audience == "subscription" and definition.subscription is None
        unfiltered = audience == "segment" and not definition.audience_filters
        nobody = first and trigger == "manual" and not self.matched_contacts(series)
        marketing = definition.kind == "marketing"
        checks = (
            (unlisted, NO_LIST),
            (unfiltered, NO_FILTER),
            (trigger == "segment_match" and audience != "segment", NOT_A_SEGMENT),
            (trigger == "event" and not definition.settings["entry_event_name"], NO_EVENT),
            (nobody and not (unlisted or unfiltered), NOBODY),
            (marketing and not self.org["verified_domain"], NO_DOMAIN),
            (marketing and not self.org["company_footer"], NO_FOOTER),
            (not definition.steps, NO_STEPS),
        )
        problems = [(step.key, step.problem()) for step in definition.steps]
        steps = [f"Step \u2018{key}\u2019: {problem}" for key, problem in problems if problem]
        quiet = [
            f"Step \u2018{step.key}\u2019: its send window lies inside the quiet hours."
            for step in definition.steps
            if self.swallowed(definition, step)
        ]
        ring = self._endless_ring(series, definition)
        return [message for fails, message in checks if fails] + steps + quiet + ring

    def _endless_ring(self, series: Series, definition: Definition) -> list[str]:
        """Return check 12: series that start each other again and again (contract §22)."""
        running = [each for each in self.series.values() if each.status in ("active", "paused")]
        named = {each.key: each.definition for each in running} | {series.key: definition}
        edges = {key: _starts(each) for key, each in named.items() if _repeats(each)}
        paths = [[series.key]]
        seen: set[str] = set()
        while paths:
            path = paths.pop(0)
            for key in sorted(edges.get(path[-1], set()) & {*edges}):
                if key == series.key:
                    first = path.index(min(path))
                    ring = ", ".join(f"\u2018{each}\u2019" for each in path[first:] + path[:first])
                    return [f"Series {ring} start each other without end: set reenroll_delay_days."]
                if key not in seen:
                    seen.add(key)
                    paths.append([*path, key])
        return []

    def _check(self, series: Series, definition: Definition, *, first: bool) -> None:
        failing = self._failing_checks(series, definition, first=first)
        refuse_unless(not failing, 400, failing[0] if failing else "")

    def activate(self, key: str) -> None:
        """Activate a draft and enroll who matches, where its trigger says so (§4, §8)."""
        series = self.known_series(key)
        refuse_unless(series.status == "draft", 409, f"{key} is {series.status}, not a draft")
        self._check(series, series.definition, first=True)
        self._work_out(series)
        self._start(series)
        if series.definition.entry_trigger in ("manual", "segment_match"):
            for contact in self.matched_contacts(series):
                self.try_to_enroll(series, contact, self.now, planned=True)
        self.complete_if_done(series)
        self.settle()

    def _work_out(self, series: Series) -> None:
        """Work out what `auto` of a surge comes to: three times the busiest span (§19)."""
        definition, surge = series.definition, series.definition.surge
        if surge is None or surge.at_most is not None:
            return
        match definition.entry_trigger:
            case "event":
                name = definition.settings["entry_event_name"]
                known = [each for each in self.events if each.contact is not None]
                instants = [each.timestamp for each in known if each.name == name]
            case "user_created":
                instants = [each.created_at for each in self.contacts]
            case _:
                instants = [run.created_at for run in series.runs]
        lately = [at for at in instants if timedelta(0) <= self.now - at < timedelta(days=30)]
        spans = [sum(timedelta(0) <= at - each < surge.within for each in lately) for at in lately]
        series.auto = max(100, 3 * max(spans, default=0))

    def pause(self, key: str) -> None:
        """Pause an active series (contract §8)."""
        series = self.known_series(key)
        refuse_unless(series.status == "active", 409, f"{key} is {series.status}, not active")
        series.status = "paused"
        self.stop_being_active(series)
        self.settle()

    def resume(self, key: str) -> None:
        """Let a paused series go on, checked again (contract §8)."""
        series = self.known_series(key)
        refuse_unless(series.status == "paused", 409, f"{key} is {series.status}, not paused")
        self._check(series, series.definition, first=False)
        self._start(series)
        self.open_gates(series.active_runs())
        self.settle()

    def stop(self, key: str) -> None:
        """Complete a series: everybody leaves it, and nobody waits to enter (contract §6, §19)."""
        series = self.known_series(key)
        runs = series.active_runs()
        is_over = series.status == "completed" and not runs
        refuse_unless(series.status != "draft" and not is_over, 409, f"{key} is {series.status}")
        self.stop_being_active(series)
        series.status = "completed"
        series.waiting.clear()
        held, series.held, series.pace = series.held, {}, None
        for contact in held:
            self._discard(series, contact)
        for run in runs:
            self.exit(run, "manual")
        self.settle()

    def erase(self, contact: str) -> None:
        """Forget a contact and everything about it; its address stays suppressed (contract §2)."""
        person = self.known_contact(contact)
        left = [run.series for run in self._runs_of((person,)) if run.is_active]
        self.contacts.remove(person)
        self.events = [event for event in self.events if event.contact is not person]
        for members in self.lists.values():
            members.discard(person)
        keys = self.answers_by_key.items()
        asked = {key: said for key, said in keys if said[0][1] != (person.external_id or "")}
        self.answers_by_key = asked
        self.pending = {key: said for key, said in self.pending.items() if key[0] is not person}
        for series in self.series.values():
            series.runs = [run for run in series.runs if run.contact is not person]
            for known in (series.waiting, series.refusals, series.watches, series.discarded):
                known.pop(person, None)
            series.held.pop(person, None)
        for series in left:
            self.complete_if_done(series)
        self.settle()

    def release(self, series: str, *, discard: bool = False, per: str | None = None) -> None:
        """Let those who are held enter, in order of arrival, at once or at a pace, or go for good
        (contract §19).
        """
        pace = None
        if per is not None:
            refuse_unless(not discard, 400, "per or discard")
            at_most, _, within = per.partition("/")
            pace = int(at_most), parse_duration(within)
        found = self.known_series(series)
        refuse_unless(found.status == "active", 409, f"{series} is {found.status}, not active")
        found.pace = pace if found.held else None
        if pace is not None:
            self.go_on_releasing()
            self.settle()
            return
        held, found.held = found.held, {}
        begun = found.definition.entry_trigger == "event"
        for contact, kept in held.items():
            if discard:
                self._discard(found, contact)
            else:
                properties = kept if begun else {}
                self.try_to_enroll(found, contact, self.now, kept=properties, planned=True)
        self.complete_if_done(found)
        self.settle()

    def _discard(self, series: Series, contact: Contact) -> None:
        match series.definition.entry_trigger:
            case "segment_match":
                series.discarded[contact] = Watch()
            case "user_created" | "event":
                series.refusals[contact] = ("surge_discarded", self.next_order())

    def _start(self, series: Series) -> None:
        series.status = "active"
        series.periods.append((self.now, None))

    def save(self, *, reschedule: bool = False, **changes: Any) -> None:
        """Save series again, each merged over its last definition (contract §5, §8, §18)."""
        checked = [(self.known_series(key), self.checked(key, changes[key])) for key in changes]
        for series, definition in checked:
            if reschedule:
                self.reschedule(series, definition)
            if definition.raw != series.definition.stored:
                series.versions += 1
            self.announced |= definition.named_series()
            self.replace_definition(series, definition)
            self.open_gates(series.active_runs())
        self.settle()

    def reschedule(self, series: Series, definition: Definition) -> None:
        """Give rows at steps whose delay or window changes their new times (contract §18)."""
        before = {step.key: step for step in (*series.gone, *series.definition.steps)}
        for run in series.active_runs():
            row = run.rows[-1]
            position = definition.position(row.step)
            if position is None:
                continue
            old, new = before[row.step], definition.steps[position]
            if (old.delay, old.window) != (new.delay, new.window):
                due = max(row.created_at + new.delay, self.now)
                moved = self.due_at(definition, new, run.contact, due)
                row.scheduled_for = row.first_due = moved

    def checked(self, key: str, change: Any) -> Definition:
        """Return the definition that a change makes of a series, if it can be saved: one that is
        there already always can.
        """
        definition = self.changed(key, change)
        if definition.raw == self.known_series(key).definition.stored:
            return definition
        failing = self.refusals(key, definition)
        refuse_unless(not failing, 400, failing[0] if failing else "")
        return definition

    def changed(self, key: str, change: Any) -> Definition:
        """Return the definition that a change makes of a series, if it is one."""
        series = self.known_series(key)
        definition = parse_definition(merge(series.definition.raw, change), self.zone)
        self.check_list(definition)
        return definition

    def refusals(self, key: str, definition: Definition) -> list[str]:
        """Return the failing checks of a definition that an active series would have (§8)."""
        series = self.known_series(key)
        is_active = series.status == "active"
        return self._failing_checks(series, definition, first=False) if is_active else []

    def replace_definition(self, series: Series, definition: Definition) -> None:
        """Put a definition in force (contract §5)."""
        stays = {step.key for step in definition.steps}
        gone = [*series.gone, *series.definition.steps]
        series.gone = [step for step in gone if step.key not in stays]
        shared = not series.definition.settings["one_per_company"]
        asked = series.definition.asked_of_auto()
        series.definition = definition
        if series.status != "draft" and asked != definition.asked_of_auto():
            self._work_out(series)
        if shared and definition.settings["one_per_company"]:
            self._end_crowds(series)
        for run in series.active_runs():
            row = run.rows[-1]
            position = definition.position(row.step)
            row.position = row.position if position is None else position
        self.look_at_new_definition(series)
        self.complete_if_done(series)

    def _end_crowds(self, series: Series) -> None:
        """Where a company has several runs of a series that now takes one, look again (guard
        10).
        """
        companies = [run.contact.company for run in series.active_runs()]
        for company in dict.fromkeys(companies):
            if company is not None and companies.count(company) > 1:
                members = tuple(each for each in self.contacts if each.company is company)
                self.signals.append(Signal(members))

    def change_org(self, **changes: Any) -> dict[str, Any]:
        """Change what the organisation says of its mail; the series that this breaks (§20)."""
        if "frequency_caps" in changes:
            self.caps = parse_caps(changes["frequency_caps"])
        if "quiet_hours" in changes:
            self.quiet_hours = parse_quiet_hours(changes["quiet_hours"], self.zone)
        broken = [
            series.key
            for series in self.series.values()
            if series.status in ("active", "paused")
            and any(self.swallowed(series.definition, step) for step in series.definition.steps)
        ]
        self.settle()
        return {"breaks": broken if "quiet_hours" in changes else []}

    def remove(self, contact: str, series: str) -> None:
        """Take a contact out of a series by hand; 404 when it has no active run (contract §6)."""
        person = self.known_contact(contact)
        latest = self.known_series(series).latest_run(person)
        if latest is None or not latest.is_active:
            raise RefusedError(404, f"{contact!r} is not active in {series!r}")
        self.exit(latest, "manual")
        self.settle()

    def restart(self) -> None:
        """Drop every cache: the model has none (scenarios.md)."""

"""What the model knows, and the questions about it that everything else asks (contract §3)."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.caps import parse_caps
from tests.model.language.clock import Cron, parse_instant
from tests.model.language.events import EventGroups, event_passes
from tests.model.language.expressions import Expression
from tests.model.language.fields import field_value
from tests.model.language.filters import Filter
from tests.model.language.people import Company, Contact, Event
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.series import Definition, Groups, parse_definition
from tests.model.language.windows import parse_quiet_hours, parse_zone
from tests.model.runs import Mail, Run, Series
from tests.model.signals import Signal

DEFAULT_START = "2026-06-01T09:00:00Z"
ORG_DEFAULTS: dict[str, Any] = {
    "timezone": "UTC",
    "verified_domain": True,
    "company_footer": "Acme Inc, 1 Main St",
    "identity_secret": None,
    "mrr_mode": "manual",
    "stripe_connected": False,
    "quiet_hours": None,
    "frequency_caps": None,
    "reevaluate_cron": "*/15 * * * *",
}


class State:
    """One organisation on a virtual clock: its contacts, lists and series (scenarios.md).

    `org` takes the keys of a scenario's `org`, `lists` the keys of subscription lists, `series`
    raw definitions by key, saved as drafts. Raises `RefusedError` for what cannot be saved.
    """

    def __init__(
        self,
        start: str = DEFAULT_START,
        org: Mapping[str, Any] | None = None,
        lists: Iterable[str] = (),
        series: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        unknown = sorted(set(org or {}) - set(ORG_DEFAULTS))
        refuse_unless(not unknown, 400, f"org has unknown keys: {', '.join(unknown)}")
        self.org: dict[str, Any] = {**ORG_DEFAULTS, **(org or {})}
        self.zone: ZoneInfo = parse_zone(self.org["timezone"])
        self.now: datetime = parse_instant(start, ZoneInfo("UTC")).astimezone(UTC)
        self.caps = parse_caps(self.org["frequency_caps"])
        self.quiet_hours = parse_quiet_hours(self.org["quiet_hours"], self.zone)
        self.cron = Cron.parse(self.org["reevaluate_cron"], self.zone)
        self.reevaluate_at: datetime = self.cron.after(self.now)
        self.contacts: list[Contact] = []
        self.companies: dict[str, Company] = {}
        self.events: list[Event] = []
        self.answers_by_key: dict[str, tuple[Any, Any]] = {}
        self.lists: dict[str, set[Contact]] = {key: set() for key in lists}
        #: Lists that whoever is created joins.
        self.default_lists: set[str] = set()
        #: Lists that are joined by confirming; who has yet to, since when, and at which address.
        self.confirmed_lists: set[str] = set()
        self.pending: dict[tuple[Contact, str], tuple[datetime, str]] = {}
        self.bounced: set[str] = set()
        self.unsubscribed: set[str] = set()
        self.complained: set[str] = set()
        self.registered_fields: set[str] = set()
        #: Custom fields of contacts: whether they are registered as text.
        self.is_text_field: dict[str, bool] = {}
        self.outbox: list[Mail] = []
        #: Who gets one of the mails of the rows that are being handled.
        self.mailed: list[Contact] = []
        self.signals: deque[Signal] = deque()
        #: The series that filters ever named, and the stages before what is under way.
        self.announced: set[str] = set()
        self.as_it_was: dict[tuple[Contact, str], str] = {}
        self.is_seen_later = False
        self._order = 0
        self.series: dict[str, Series] = {}
        for key, raw in (series or {}).items():
            definition = parse_definition(raw, self.zone)
            self.check_list(definition)
            self.series[key] = Series(key, definition)
            self.announced |= definition.named_series()

    def next_order(self) -> int:
        """Return the next place in the order of arrival (contract §1)."""
        self._order += 1
        return self._order

    def contact(self, name: str) -> Contact | None:
        """Find a contact as scenarios name it: by external ID, or a lead by email."""
        known = self.user(name)
        leads = [each for each in self.with_email(name) if each.contact_type == "lead"]
        return known or next(iter(leads), None)

    def known_contact(self, name: str) -> Contact:
        """Find a contact as scenarios name it; raises `RefusedError` (404) when there is none."""
        found = self.contact(name)
        if found is None:
            raise RefusedError(404, f"unknown contact {name!r}")
        return found

    def user(self, external_id: object) -> Contact | None:
        """Find the contact of this external ID."""
        return next((c for c in self.contacts if c.external_id == external_id), None)

    def with_email(self, email: object) -> list[Contact]:
        """Find the contacts of this address, in any case, by creation (contract §2)."""
        address = email.lower() if isinstance(email, str) and email else None
        return [each for each in self.contacts if address and each.address == address]

    def known_series(self, key: str) -> Series:
        """Find a series by key; raises `RefusedError` (404) when there is none."""
        if key not in self.series:
            raise RefusedError(404, f"unknown series {key!r}")
        return self.series[key]

    def known_list(self, key: object) -> set[Contact]:
        """Find the active subscribers of a list; raises `RefusedError` (404) when there is none."""
        if not isinstance(key, str) or key not in self.lists:
            raise RefusedError(404, f"unknown list {key!r}")
        return self.lists[key]

    def check_list(self, definition: Definition) -> None:
        """Refuse (400) a definition that names a list which is not there."""
        key = definition.subscription
        refuse_unless(key is None or key in self.lists, 400, f"unknown list {key!r}")

    def count_events(
        self,
        contact: Contact,
        name: str,
        since: Run | None = None,
        within: timedelta | None = None,
    ) -> int:
        """Count how often an event fired for a contact (§3): since an enrollment (§7), and within a
        span before now, if given: exactly so long ago no longer counts (§22).
        """
        return sum(
            event.contact is contact
            and event.name == name
            and (since is None or event.is_after(since.created_at, since.order))
            and (within is None or event.timestamp > self.now - within)
            for event in self.events
        )

    def stage(self, contact: Contact, key: str) -> str:
        """Say what became of a contact's latest run in a series (contract §22).

        What a signal changes is seen by the next: until then `as_it_was` has what stood before.
        """
        if (contact, key) in self.as_it_was:
            return self.as_it_was[contact, key]
        series = self.series.get(key)
        latest = series.latest_run(contact) if series else None
        if latest is None:
            return "never"
        if latest.end_reason is None:
            return "active"
        ends = {"completed": "completed", "condition_not_met": "not_met"}
        return ends.get(latest.end_reason, "exited")

    def moves(self, contact: Contact, key: str) -> None:
        """Note that a contact is about to begin or end a run: for those who name it, a change."""
        if self.is_seen_later:
            self.as_it_was.setdefault((contact, key), self.stage(contact, key))
        if key in self.announced:
            self.signals.append(Signal((contact,), changed=frozenset({f"series:{key}"})))

    @contextmanager
    def seen_later(self) -> Iterator[None]:
        """Let what changes meanwhile of the stages in series be seen when this is over."""
        self.is_seen_later = True
        yield
        self.is_seen_later = False
        self.as_it_was.clear()

    def value(
        self,
        contact: Contact,
        field: str,
        since: Run | None = None,
        kept: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value that a contact has for a field, None when missing (contract §3).

        `kept` are the properties that a run keeps of the event that began it (contract §21).
        """
        if field.startswith("event."):
            return (kept or {}).get(field.removeprefix("event."))
        if field.startswith("list:"):
            return contact in self.lists.get(field.removeprefix("list:"), set())
        if field.startswith("series:"):
            return self.stage(contact, field.removeprefix("series:"))
        return field_value(contact, field, lambda name: self.count_events(contact, name, since))

    def event_holds(
        self, event: Event, groups: EventGroups, kept: Mapping[str, Any] | None = None
    ) -> bool:
        """Say whether an event holds the filters on it now (contract §21)."""
        return event_passes(groups, event.properties, kept or {}, self.now, self.zone)

    def passes(self, contact: Contact, each: Filter | Expression, since: Run | None = None) -> bool:
        """Say whether a contact passes one filter or expression now (contract §3, §5, §22)."""
        if each.field.startswith("lead:") and contact.contact_type != "lead":
            return False
        stored = self.value(contact, each.field, since)
        if isinstance(each, Filter) and each.within is not None:
            name = each.field.removeprefix("event:")
            stored = self.count_events(contact, name, since, each.within)
        return each.passes(stored, self.now, self.zone)

    def holds(self, contact: Contact, groups: Groups, since: Run | None = None) -> bool:
        """Say whether any group of filters holds for a contact now; no group holds never (§3)."""
        return any(all(self.passes(contact, each, since) for each in group) for group in groups)

    def is_subscribed(self, contact: Contact, series: Series) -> bool:
        """Say whether a contact is an active subscriber of the series' list (contract §3)."""
        return contact in self.lists.get(series.definition.subscription or "", set())

    def in_audience(self, contact: Contact, series: Series) -> bool:
        """Say whether the audience of a series holds a contact now (contract §3, §23)."""
        asks_for_email = bool(series.definition.patience)
        return self.in_source(contact, series) and not (asks_for_email and contact.email is None)

    def in_source(self, contact: Contact, series: Series) -> bool:
        """Say whether the filters hold, or the list has the contact: what exit rules ask."""
        definition = series.definition
        if definition.audience_type == "all":
            return contact.email is not None
        if definition.audience_type == "subscription":
            return self.is_subscribed(contact, series)
        return self.holds(contact, definition.audience_filters)

    def fits_type(self, contact: Contact, series: Series) -> bool:
        """Say whether a contact is of the type that a series takes (contract §3)."""
        return series.definition.contact_type in ("both", contact.contact_type)

    def is_suppressed(self, contact: Contact) -> bool:
        """Say whether an address bounced, complained, or is unsubscribed from everything (§3)."""
        return contact.address in self.bounced | self.unsubscribed | self.complained

    def matched_contacts(self, series: Series) -> list[Contact]:
        """Return the contacts that match a series now, by creation (contract §3)."""
        return [
            contact
            for contact in self.contacts
            if self.fits_type(contact, series)
            and self.in_audience(contact, series)
            and not self.is_suppressed(contact)
        ]

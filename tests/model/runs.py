"""Series at work: enrollments, recipient rows and mails (contract §1)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.model.language.people import Contact, Event
from tests.model.language.series import Definition, Step


@dataclass(eq=False)
class Mail:
    """One mail that was sent, and what its reader did (contract §5)."""

    step: str
    to: str
    subject: str
    body: str
    headers: dict[str, str]
    opened: bool = False
    clicked: bool = False
    machine_opened: bool = False
    machine_clicked: bool = False
    sent_at: datetime | None = None
    is_marketing: bool = False


@dataclass(eq=False)
class Row:
    """One contact at one step: a recipient (contract §5). `order` is its place of creation.

    `position` is where its step stands, or last stood in the definition. `is_open` says that its
    event opened it early.
    """

    step: str
    position: int
    created_at: datetime
    scheduled_for: datetime
    order: int
    first_due: datetime
    status: str = "pending"
    reason: str | None = None
    exit_reason: str | None = None
    is_open: bool = False


@dataclass(eq=False)
class Run:
    """An enrollment: one contact's run through one series (contract §1).

    `order` is its place of creation; `address` the contact's at entry; `replied` whether the
    contact replied to any email of the series meanwhile; `goal_held` whether the goal's filters
    held when last looked at. `properties` are what it keeps of the event that began it.
    """

    series: "Series"
    contact: Contact
    created_at: datetime
    order: int
    address: str | None = None
    rows: list[Row] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    end_reason: str | None = None
    replied: bool = False
    goal_held: bool = False
    converted_at: datetime | None = None
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether the run has not ended."""
        return self.end_reason is None


@dataclass
class Watch:
    """What a `segment_match` series saw of a contact since its latest enrollment (guard 8)."""

    inside: bool = True
    newly: bool = False


@dataclass(frozen=True)
class Waiting:
    """A trigger that came before its data: its instant, its event, its place in time (§23)."""

    fired_at: datetime
    event: Event | None
    order: int


@dataclass(eq=False)
class Series:
    """A series with its state; `periods` are the spans in which it was active (contract §4).

    `versions` counts the saves that changed it, the draft included; `gone` are its removed steps.
    `begun` are the instants of the entries that count for its surge; `held` whom it holds, in order
    of arrival, with the properties of the event that brought them; `discarded` those who were held
    and let go, and what was seen of them since. `auto` is what `auto` of its surge came to.
    `pace` is that of the release that is under way, `released` when such releases let contacts in.
    """

    key: str
    definition: Definition
    status: str = "draft"
    periods: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    waiting: dict[Contact, Waiting] = field(default_factory=dict)
    refusals: dict[Contact, tuple[str, int]] = field(default_factory=dict)
    watches: dict[Contact, Watch] = field(default_factory=dict)
    versions: int = 1
    gone: list[Step] = field(default_factory=list)
    begun: list[datetime] = field(default_factory=list)
    held: dict[Contact, dict[str, Any]] = field(default_factory=dict)
    discarded: dict[Contact, Watch] = field(default_factory=dict)
    auto: int | None = None
    pace: tuple[int, timedelta] | None = None
    released: list[datetime] = field(default_factory=list)

    @property
    def surge_at_most(self) -> int | None:
        """How many a span of the surge takes; None without one, and before `auto` is known."""
        surge = self.definition.surge
        if surge is None or surge.at_most is not None:
            return surge.at_most if surge else None
        return self.auto

    def was_active_at(self, instant: datetime) -> bool:
        """Say whether the series was active at an instant (contract §4)."""
        return any(
            start <= instant and (end is None or instant < end) for start, end in self.periods
        )

    def latest_run(self, contact: Contact) -> Run | None:
        """Return the contact's latest enrollment, or None."""
        return next((run for run in reversed(self.runs) if run.contact is contact), None)

    def active_runs(self) -> list[Run]:
        """Return the enrollments that have not ended, in order of creation."""
        return [run for run in self.runs if run.is_active]

"""One organisation's open transaction: every flow and door works with it; only the edge commits."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from halo_engine.audience.moments import Moment
from halo_engine.database import AtOnce
from halo_engine.domain.series.happenings import Kinds
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.domain.times.instants import parse_zone
from halo_engine.domain.times.quiet_hours import Hours, QuietHours
from halo_engine.domain.times.retention import Keeps
from halo_engine.sql.prepared import BoundStatement, Rows


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation's own settings (contract §1, §2).

    ``version`` is the version of its row (``sql.versions``): while the row has it, all of this but
    ``sending_stopped`` is current. ``address_key`` is set if suppressions of erased addresses are
    kept (``address_hashes``); ``mail_key`` signs the tokens in mails (``domain.mail_tokens``).
    ``webhook_kinds`` is what its webhook endpoints ask for (``happenings``); ``announced_series``
    are the keys of the series that filters name. If it
    ``has_default_lists``, contacts join them when they are created; if it ``asks_to_confirm``,
    mails to confirm lists may wait. ``sending_stopped``: no mail may go out, of this organisation
    or of all.
    """

    id: UUID
    version: int
    key: str
    name: str
    timezone: str
    identity_secret: str | None
    mrr_mode: str
    stripe_connected: bool
    verified_domain: bool
    company_footer: str | None
    mail_from_name: str | None
    mail_from_address: str | None
    mail_reply_to: str | None
    mail_bounce_domain: str | None
    reevaluate_cron: str
    reevaluated_at: datetime
    passes_are_quick: bool
    passed_fully_at: datetime | None
    quiet_hours: QuietHours | None
    frequency_caps: FrequencyCaps
    keeps: Keeps = field(hash=False)
    address_key: bytes | None = field(repr=False)
    mail_key: bytes = field(repr=False)
    webhook_kinds: Kinds
    announced_series: tuple[str, ...]
    has_default_lists: bool
    asks_to_confirm: bool
    sending_stopped: bool
    #: Custom fields of contacts that are known to be registered (``contacts.registry``).
    known_fields: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which dates, windows and cron expressions without their own are read."""
        return parse_zone(self.timezone)

    @property
    def hours(self) -> Hours:
        """The zone, the quiet hours and the caps of marketing mail (contract §20)."""
        return Hours(self.zone, self.quiet_hours, self.frequency_caps)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which links in the installation's mail lead to a page; all do where mail reaches nobody."""

    unsubscribe: bool = True
    confirm: bool = True


ALL_LEAD: Final = Reach()


@dataclass(frozen=True, slots=True)
class Work:
    """An open transaction for one organisation, at the instant ``now``; whoever opened it
    commits.

    ``reads_clock``: ``now`` was read from the database's clock, no caller gave it. ``reach`` is the
    installation's.
    """

    connection: Connection
    org: Organization
    now: datetime
    reads_clock: bool = False
    reach: Reach = ALL_LEAD

    @property
    def org_id(self) -> UUID:
        """The organisation's id, first in every key."""
        return self.org.id

    @property
    def moment(self) -> Moment:
        """The moment at which relative dates, and dates without a zone, are read."""
        return Moment(self.now, self.org.timezone)


@dataclass(frozen=True, slots=True)
class OrgRef:
    """How a caller names an organisation: by its id, its key, or its publishable widget key
    (§2).
    """

    id: UUID | None = None
    key: str | None = None
    widget_key: str | None = None


_Result = TypeVar("_Result")
_Answer_co = TypeVar("_Answer_co", covariant=True)


@dataclass(frozen=True, slots=True)
class RoundTrip(Generic[_Answer_co]):
    """A door in one round trip: statements that are a transaction of their own.

    They are made for a cached organisation. If it has changed since, they write nothing and
    ``read`` returns None.
    """

    calls: Sequence[BoundStatement]
    read: Callable[[Sequence[Rows]], _Answer_co | None]


class Transact(Protocol):
    """Runs the transactions of a flow: each call runs ``action`` in a new one and commits it."""

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        """Return what ``action`` returned; it may be run again after a lost race."""


class Transactions(Transact, Protocol):
    """The transactions of a flow that also needs short ones, whose statements are known before."""

    @property
    def now(self) -> datetime | None:
        """The current instant; None stands for the database's own clock, read in the statement."""

    def kept_connection(self) -> AbstractContextManager[AtOnce]:
        """Return a connection that is kept for such transactions (``database.kept_connection``)."""

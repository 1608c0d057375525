"""One organisation's transaction, which every flow and every door works with; only the edge
commits.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Select, bindparam, exists, func, or_, select

from halo_engine.audience.moments import Moment
from halo_engine.database import Line, line, run_in_transaction
from halo_engine.domain.errors import not_found, unauthorized
from halo_engine.domain.instants import parse_zone
from halo_engine.domain.values import is_storable_text
from halo_engine.prepared import Call, Prepared, Rows
from halo_engine.tables import installation, organizations
from halo_engine.tables.versions import row_version


@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation's own settings (contract §1, §2).

    ``version`` is the version of its row (``tables.versions``): while the row has it, all of this
    but ``sending_stopped`` is current. ``address_key`` is set if suppressions of erased addresses
    are kept (``address_hashes``); ``mail_key`` signs the tokens in mails (``domain.mail_tokens``).
    ``sending_stopped``: no mail may go out, of this organisation or of any.
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
    reevaluate_cron: str
    reevaluated_at: datetime
    passes_are_quick: bool
    address_key: bytes | None = field(repr=False)
    mail_key: bytes = field(repr=False)
    sending_stopped: bool
    #: Custom fields of contacts that are known to be registered (``contacts.registry``).
    known_fields: set[str] = field(default_factory=set, compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which dates, windows and cron expressions without their own are read."""
        return parse_zone(self.timezone)


@dataclass(frozen=True, slots=True)
class Work:
    """An open transaction for one organisation, at the instant ``now``; whoever opened it
    commits.

    ``reads_clock``: ``now`` was read from the database's clock, no caller gave it.
    """

    connection: Connection
    org: Organization
    now: datetime
    reads_clock: bool = False

    @property
    def org_id(self) -> UUID:
        """The organisation's id, first in every key."""
        return self.org.id

    @property
    def moment(self) -> Moment:
        """What relative and zone-less values are resolved with."""
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
class Trip(Generic[_Answer_co]):
    """A door in one round trip: calls that are a transaction of their own.

    They are made for an organisation as it was known, and write nothing if it has changed since:
    then ``read`` returns None.
    """

    calls: Sequence[Call]
    read: Callable[[Sequence[Rows]], _Answer_co | None]


class Transact(Protocol):
    """How a flow gets its transactions: each call runs ``action`` in one of its own and commits
    it.
    """

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        """Return what ``action`` returned; it may be run again after a lost race."""


class Transactions(Transact, Protocol):
    """The transactions of a flow that also needs short ones, of statements known beforehand."""

    @property
    def now(self) -> datetime | None:
        """The business's instant; None is the database's own clock, asked in the statement."""

    def line(self) -> AbstractContextManager[Line]:
        """Return a connection that is kept for such transactions (``database.line``)."""


@dataclass(frozen=True, slots=True)
class OrganizationTransactions:
    """Transactions on an organisation's database; ``clock`` gives the current instant, else the
    database does.
    """

    database: Engine
    org: OrgRef
    clock: Callable[[], datetime] | None = None

    @property
    def now(self) -> datetime | None:
        """The business's instant, or None."""
        return self.clock() if self.clock else None

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        """Run ``action`` in a transaction, and return what it returned."""
        return run_in_transaction(
            self.database, lambda connection: action(open_work(connection, self.org, self.now))
        )

    def line(self) -> AbstractContextManager[Line]:
        """Return a connection that is kept for transactions of calls."""
        return line(self.database)


def open_work(connection: Connection, ref: OrgRef, now: datetime | None) -> Work:
    """Read the organisation and, unless ``now`` is given, the database's clock, in one statement.

    An unknown widget key is a 401, another unknown organisation a 404 (contract §2, §11).
    """
    column, value = _named_by(ref)
    rows = []
    if not isinstance(value, str) or is_storable_text(value):
        rows = _BY[column].rows(connection, {"named": value})
    if not rows:
        if ref.widget_key is not None:
            raise unauthorized("unknown_widget_key", "This widget key names no organisation.")
        raise not_found("organisation", str(ref.key or ref.id))
    [row] = rows
    clock = row.pop("clock")
    return Work(connection, Organization(**row), now or clock, reads_clock=now is None)


def _named_by(ref: OrgRef) -> tuple[str, object]:
    if ref.id is not None:
        return "id", ref.id
    return ("key", ref.key) if ref.key is not None else ("widget_key", ref.widget_key)


def _reading(column: str) -> Select[Any]:
    table = organizations
    columns = [table.c[name] for name in Organization.__slots__ if name in table.c]
    everywhere = exists().where(installation.c.sending_stopped_at.is_not(None))
    return select(
        *columns,
        row_version(table).label("version"),
        or_(table.c.sending_stopped_at.is_not(None), everywhere).label("sending_stopped"),
        func.clock_timestamp().label("clock"),
    ).where(table.c[column] == bindparam("named", type_=table.c[column].type))


#: Built once: every transaction begins with one of them.
_BY: Final = {column: Prepared(_reading(column)) for column in ("id", "key", "widget_key")}

"""An engine on a clock that the test moves, and what the tests of the flows do with it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy
from sqlalchemy import Connection, Table, event, func, insert, select

from halo_engine.domain.series.signals import EVERYTHING, SignalKind
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.pipeline.wake import wake
from halo_engine.series.lifecycle import activate
from halo_engine.series.save import parse_definition, save_series
from halo_engine.tables import end_users, organizations, signals
from halo_engine.work import ALL_LEAD, OrgRef, Reach, Work

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
EMAIL = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}

_Result = TypeVar("_Result")


@dataclass
class Sandbox:
    """One organisation and an engine on ``now``."""

    database: sqlalchemy.Engine
    org: OrgRef
    now: datetime = NOON
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    reach: Reach = ALL_LEAD

    @property
    def engine(self) -> Engine:
        """The engine at the sandbox's instant."""
        sender, throttle = Sender("Halo", "halo@halo.example"), Throttle(turn_seconds=inf)
        post = PostOffice(self.transport, sender, throttle, reach=self.reach)
        return Engine(self.database, post, clock=lambda: self.now)

    def perform(self, action: Callable[[Work], _Result]) -> _Result:
        """Run ``action`` in a transaction of its own, and commit it."""
        return self.engine.perform(self.org, action)

    @property
    def org_id(self) -> UUID:
        """The organisation's id."""
        return self.perform(lambda work: work.org_id)

    def settle(self) -> list[Any]:
        """Handle everything that waits; return what each transaction came to."""
        return list(self.engine.settle(self.org_id))

    def wake(self, after: timedelta = timedelta(0)) -> list[Any]:
        """Move the clock, put back signals whose pause is over, and settle."""
        self.now += after
        self.perform(wake)
        return self.settle()

    def tick(self, after: timedelta = timedelta(0)) -> list[Any]:
        """Move the clock and tick; return what each transaction came to."""
        self.now += after
        return list(self.engine.tick(self.org_id))

    def series(self, key: str, **definition: Any) -> None:
        """Save and activate a series, by default one email for whoever is created."""
        data = {"entry_trigger": "user_created", "steps": [EMAIL], **definition}
        self.perform(lambda work: save_series(work, key, parse_definition(key, data)))
        self.perform(lambda work: activate(work, key, "test"))

    def contacts(self, names: Iterable[str], **values: Any) -> list[UUID]:
        """Write users by plain insert, without any signal."""
        rows = [
            {
                "external_id": name,
                "email": f"{name}@a.example",
                "source": "sdk",
                **dict.fromkeys(("created_at", "updated_at", "first_seen", "last_seen"), self.now),
                **values,
            }
            for name in names
        ]

        def write(work: Work) -> list[UUID]:
            owned = [{"org_id": work.org_id, **row} for row in rows]
            made = insert(end_users).values(owned).returning(end_users.c.id)
            return list(work.connection.scalars(made))

        return self.perform(write)

    def signal(self, contacts: Iterable[UUID], kind: SignalKind = SignalKind.CREATED) -> None:
        """Leave a signal for each contact, as a door does whose contacts are new."""

        def write(work: Work) -> None:
            rows = [
                {
                    "org_id": work.org_id,
                    "kind": kind,
                    "end_user_id": contact,
                    "changed": [EVERYTHING],
                    "happened_at": work.now,
                    "created_at": work.now,
                }
                for contact in contacts
            ]
            if rows:
                work.connection.execute(insert(signals), rows)

        self.perform(write)

    def count(self, table: Table, *conditions: Any) -> int:
        """Return how many rows of the organisation there are."""
        return self.perform(
            lambda work: work.connection.execute(
                select(func.count()).where(table.c.org_id == work.org_id, *conditions)
            ).scalar_one()
        )


def new_sandbox(database: sqlalchemy.Engine, name: str) -> Sandbox:
    """Make an organisation of the test's own."""
    with database.begin() as connection:
        connection.execute(
            insert(organizations).values(
                key=name, name=name, widget_key=name, created_at=NOON, reevaluated_at=NOON
            )
        )
    return Sandbox(database, OrgRef(key=name))


@contextmanager
def counted_statements(database: sqlalchemy.Engine) -> Iterator[list[str]]:
    """Collect the SQL of every statement that is executed meanwhile."""
    seen: list[str] = []

    def remember(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database, "before_cursor_execute", remember)
    try:
        yield seen
    finally:
        event.remove(database, "before_cursor_execute", remember)

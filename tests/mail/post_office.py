"""Setting the sandbox for the tests of sending: contacts at the first step of a series, due now."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, Table, event, func, insert, select, update

from halo_engine.database import AtOnce
from halo_engine.domain.series.decisions import Send, decide_step
from halo_engine.journey.claim import claim_due
from halo_engine.journey.facts import gather_alike
from halo_engine.journey.record_pending import record_leases
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.letters import gather
from halo_engine.mail.sending.outbox import send_leased
from halo_engine.mail.sending.outcomes import Outcome
from halo_engine.mail.sending.reap import reap
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import Announcing, Mail, MemoryTransport, Transport
from halo_engine.opening import OrganizationTransactions
from halo_engine.series.catalogue import load_series
from halo_engine.sql.prepared import BoundStatement, Rows
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automation_steps,
    automations,
    messages,
)
from halo_engine.work import OrgRef, Transactions, Work
from tests.contacts.sandbox import NOW, add_contact, new_organization

_Result = TypeVar("_Result")

SENDER = Sender("Acme", "hello@acme.example")
HELLO = {"subject": "Hello {{ name|there }}", "body": "Dear {{ name|friend }}"}
BYE = {"subject": "Bye", "body": "Bye"}
CONDITION = {"condition_type": "user_property", "condition_value": "email contains a."}


class Refusing:
    """A mail server that answers every message by raising."""

    def __init__(self, answer: BaseException) -> None:
        self.answer = answer
        self.asked = 0

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse the message."""
        self.asked += 1
        raise self.answer


class Interrupted(MemoryTransport):
    """Something happens in the world while the first message is under way."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens

    def send(self, mail: Mail, key: str) -> None:
        """Keep the message."""
        super().send(mail, key)
        if len(self.sent) == 1:
            self._happens()


class PostOffice:
    """An organisation of the test's own, committed, at an instant that the test moves."""

    def __init__(self, database: Engine, **settings: Any) -> None:
        self.database = database
        self.now = NOW
        with database.begin() as connection:
            self.org_id = new_organization(connection, company_footer="Acme Inc", **settings).org_id
        self.transact: Transactions = OrganizationTransactions(
            database, OrgRef(id=self.org_id), lambda: self.now
        )
        self.throttle = Throttle()

    def series(self, *steps: dict[str, str], **values: Any) -> UUID:
        """Save an active series of emails and conditions (``CONDITION``), an hour between them."""
        row = {
            "org_id": self.org_id,
            "key": str(uuid4()),
            "name": "A series",
            "kind": "transactional",
            "status": "active",
            "entry_trigger": "user_created",
            "audience_type": "all",
            "contact_type": "both",
            "audience_filters": [],
            "settings": {},
            **dict.fromkeys(("created_at", "updated_at", "activated_at"), NOW),
            **values,
        }
        with self.database.begin() as connection:
            made = insert(automations).values(row).returning(automations.c.id)
            series_id: UUID = connection.execute(made).scalar_one()
            for position, step in enumerate(steps or (HELLO, BYE)):
                of_step = {
                    "org_id": self.org_id,
                    "automation_id": series_id,
                    "key": f"step-{position}",
                    "position": position,
                    "delay_seconds": 3600 if position else 0,
                }
                what = step if "condition_type" in step else {"email": step}
                connection.execute(insert(automation_steps).values(**of_step, **what))
        return series_id

    def contact(self, name: str, **values: Any) -> UUID:
        """Write a contact of this name and an address to match."""
        row = {"name": name, "email": f"{name.lower()}@a.example", **values}
        return self.transact(lambda work: add_contact(work, str(uuid4()), **row))

    def enroll(self, series_id: UUID, *contacts: UUID) -> list[int]:
        """Begin a run of each contact; return the rows of the first step, due now."""
        with self.database.begin() as connection:
            first = connection.execute(
                select(automation_steps.c.id).where(
                    automation_steps.c.org_id == self.org_id,
                    automation_steps.c.automation_id == series_id,
                    automation_steps.c.position == 0,
                )
            ).scalar_one()
            of = {"org_id": self.org_id, "automation_id": series_id, "created_at": self.now}
            connection.execute(
                insert(automation_enrollments),
                [{**of, "end_user_id": contact, "number": 1} for contact in contacts],
            )
            at = {**of, "step_id": first, "enrollment_number": 1, "scheduled_for": self.now}
            return [
                connection.execute(
                    insert(automation_recipients)
                    .values(**at, end_user_id=contact)
                    .returning(automation_recipients.c.id)
                ).scalar_one()
                for contact in contacts
            ]

    def lease(self, token: UUID, limit: int = 100) -> list[Send]:
        """Claim, gather, decide and lease as the tick does; every due row must be an email's."""

        def leased(work: Work) -> list[Send]:
            series = {
                each.id: each
                for each in load_series(work.connection, work.org_id, work.org.hours)
                if each.is_active
            }
            rows = claim_due(work.connection, work.org_id, work.now, limit)
            if not rows:
                return []
            due = gather_alike(work.connection, work.org_id, work.moment, series, rows)
            sends = [
                each for facts in due if isinstance(each := decide_step(facts, work.now), Send)
            ]
            record_leases(work.connection, work.org_id, sends, token, 180)
            return sends

        return self.transact(leased)

    def send(self, token: UUID, sends: Sequence[Send], transport: Transport) -> list[Outcome]:
        """Send what was leased."""
        if not sends:
            return []
        facts = self.transact(partial(gather, sender=SENDER, token=token, sends=sends))
        return send_leased(self.transact, transport, facts, sends, self.throttle)

    def lease_and_send(self, transport: Transport) -> list[Outcome]:
        """Send everything that is due, as one worker does in one batch."""
        token = uuid4()
        return self.send(token, self.lease(token), transport)

    def let_leases_expire(self) -> None:
        """Let the database's clock pass the end of every lease."""
        rows = automation_recipients
        with self.database.begin() as connection:
            connection.execute(
                update(rows)
                .where(rows.c.org_id == self.org_id, rows.c.lease_token.is_not(None))
                .values(lease_expires_at=func.clock_timestamp())
            )

    def reap_expired(self, limit: int = 100) -> int:
        """Let every lease run out, and reap."""
        self.let_leases_expire()
        return self.transact(lambda work: reap(work, limit))

    def wait(self, **duration: float) -> None:
        """Move the business's clock on."""
        self.now += timedelta(**duration)

    def row(self, recipient_id: int, *columns: str) -> tuple[Any, ...]:
        """Return these columns of a recipient row."""
        return self._read(automation_recipients, automation_recipients.c.id, recipient_id, columns)

    def message(self, recipient_id: int, *columns: str) -> tuple[Any, ...]:
        """Return these columns of the ledger's entry of a row; nothing when there is none."""
        return self._read(messages, messages.c.recipient_id, recipient_id, columns)

    def rows(self, table: Table, *columns: str) -> list[tuple[Any, ...]]:
        """Return these columns of all the organisation's rows in ``table``, sorted."""
        with self.database.connect() as connection:
            found = connection.execute(
                select(*[table.c[name] for name in columns]).where(table.c.org_id == self.org_id)
            )
            return sorted(tuple(row) for row in found)

    def change(self, table: Table, id_: UUID, **values: Any) -> None:
        """Write into an entity, as another transaction does while mail goes out."""
        with self.database.begin() as connection:
            connection.execute(
                update(table)
                .where(table.c.org_id == self.org_id, table.c.id == id_)
                .values(**values)
            )

    def _read(self, table: Table, key: Any, value: Any, columns: Sequence[str]) -> tuple[Any, ...]:
        with self.database.connect() as connection:
            found = connection.execute(
                select(*[table.c[name] for name in columns]).where(
                    table.c.org_id == self.org_id, key == value
                )
            ).one_or_none()
        return tuple(found) if found else ()


class Killed(BaseException):
    """The worker was killed: nothing that it would have done after this happens."""


@dataclass
class Mortal(Announcing):
    """A worker that dies at the ``dies_at``-th of the points at which one can die."""

    office: PostOffice
    dies_at: int
    letterbox: MemoryTransport = field(default_factory=MemoryTransport)
    points: int = 0

    def point(self) -> None:
        """Die here if this is the point, and at every later one: who is dead stays dead."""
        self.points += 1
        if self.points >= self.dies_at:
            raise Killed

    @property
    def now(self) -> datetime | None:
        """The office's instant."""
        return self.office.transact.now

    def __call__(self, action: Callable[[Work], _Result]) -> _Result:
        """Run a transaction that may die before it begins, before its commit, and after it."""

        def up_to_the_commit(work: Work) -> _Result:
            result = action(work)
            self.point()
            return result

        self.point()
        result = self.office.transact(up_to_the_commit)
        self.point()
        return result

    @contextmanager
    def kept_connection(self) -> Iterator[AtOnce]:
        """Run transactions that may die before they begin, before their commit, and after it."""

        def commits(_connection: Connection) -> None:
            self.point()

        def mortally(calls: Sequence[BoundStatement]) -> Sequence[Rows]:
            self.point()
            event.listen(self.office.database, "commit", commits)
            try:
                rows = at_once(calls)
            finally:
                event.remove(self.office.database, "commit", commits)
            self.point()
            return rows

        with self.office.transact.kept_connection() as at_once:
            yield mortally

    def announce(self, mail: Mail) -> None:  # noqa: ARG002 -- the protocol's
        """Die here, perhaps."""
        self.point()

    def retract(self) -> None:
        """Die here, perhaps."""
        self.point()

    def send(self, mail: Mail, key: str) -> None:
        """Send a message; the worker may die before it is out and before it can tell."""
        self.point()
        self.letterbox.send(mail, key)
        self.point()

    def work_off(self, token: UUID, sends: Sequence[Send]) -> bool:
        """Send what was leased; return whether the worker lived to the end."""
        try:
            facts = self(partial(gather, sender=SENDER, token=token, sends=sends))
            send_leased(self, self, facts, sends, Throttle())
        except Killed:
            return False
        return True

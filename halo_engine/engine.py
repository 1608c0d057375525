"""The engine's interface: tasks, the command line, rehearsals and tests all use it.

It owns the clock, the transactions, the doorbell and the post office.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import sqlalchemy

from halo_engine.contacts.receive import Received, organization_written_to, receive
from halo_engine.database import line, run_in_transaction
from halo_engine.delivery.retries import Retried, RetryCall
from halo_engine.delivery.retry import retry_failed
from halo_engine.domain.errors import Refusal
from halo_engine.domain.incoming_mail import read_mail
from halo_engine.domain.mail_tokens import bad_token, organization_of
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.due import PostOffice
from halo_engine.pipeline.health import Health
from halo_engine.pipeline.isolate import Interruptions
from halo_engine.pipeline.reaction import Reaction
from halo_engine.pipeline.settle import settle, tick
from halo_engine.pipeline.wake import organizations_to_wake, wake
from halo_engine.work import (
    Organization,
    OrganizationTransactions,
    OrgRef,
    Transactions,
    Trip,
    Work,
    open_work,
)

_Result = TypeVar("_Result")

ByTrip = Callable[[Organization, datetime | None], Trip[_Result] | None]

#: How many organisations a process remembers.
_MOST_KNOWN: Final = 10_000


def _nobody_rings(_org_id: UUID) -> None:
    """Ring nobody: the next tick handles the signals."""


@dataclass(frozen=True)
class Engine:
    """Doors and flows on one database.

    ``clock`` gives the current instant; None is the database's own clock. ``ring`` is called after
    the commit for an organisation whose signals wait. ``interruptions`` are exceptions that tell
    the caller to stop: no signal is at fault.
    """

    database: sqlalchemy.Engine
    post: PostOffice
    clock: Callable[[], datetime] | None = None
    ring: Callable[[UUID], object] = _nobody_rings
    interruptions: Interruptions = ()
    _known: dict[OrgRef, Organization] = field(default_factory=dict, init=False, repr=False)
    _healths: dict[UUID, Health] = field(default_factory=dict, init=False, repr=False)

    def perform(
        self,
        org: OrgRef,
        action: Callable[[Work], _Result],
        by_trip: ByTrip[_Result] | None = None,
    ) -> _Result:
        """Run a door in a transaction of its own; when this returns, it is committed (contract §2).

        A refusal leaves nothing behind. A lost race runs the door again. ``by_trip`` is the same
        door in one round trip, for an organisation that is known from an earlier call.
        """
        known = self._known.get(org)
        if known is not None and by_trip is not None:
            result = self._travel(known, by_trip)
            if result is not None:
                self.ring(known.id)
                return result

        def opened(connection: sqlalchemy.Connection) -> tuple[_Result, Organization]:
            work = open_work(connection, org, self._now)
            return action(work), work.org

        result, found = run_in_transaction(self.database, opened)
        if by_trip is not None:
            self._remember(org, found)
        self.ring(found.id)
        return result

    def _travel(self, known: Organization, by_trip: ByTrip[_Result]) -> _Result | None:
        """Return None for a call that has to go the usual way: one trip is not enough, or it is
        refused by what is remembered of the organisation, which may have changed.
        """
        try:
            trip = by_trip(known, self._now)
        except Refusal:
            return None
        if trip is None:
            return None
        with line(self.database) as at_once:
            return trip.read(at_once(trip.calls))

    def _remember(self, org: OrgRef, found: Organization) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[org] = found

    @property
    def _now(self) -> datetime | None:
        return self.clock() if self.clock else None

    def ask(self, org: OrgRef, question: Callable[[Work], _Result]) -> _Result:
        """Run a read-only action in a transaction of its own; no doorbell rings."""
        return replace(self, ring=_nobody_rings).perform(org, question)

    def redeem(
        self, token: str, door: Callable[[Work], _Result], *, reads: bool = False
    ) -> _Result:
        """Run a door for the holder of a link in a mail, in the organisation that it names (§9).

        The door verifies ``token``; an organisation that is gone is a bad token too. If the door
        only ``reads``, no doorbell rings.
        """
        run = self.ask if reads else self.perform
        try:
            return run(OrgRef(id=organization_of(token)), door)
        except Refusal as refusal:
            if refusal.code == "unknown_organisation":
                raise bad_token() from None
            raise

    def receive(self, raw: bytes) -> Received:
        """Take in a raw mail (RFC 5322), in the organisation whose mail it names (contract §2).

        A mail that is not about one of ours changes nothing.
        """
        mail = read_mail(raw).under(self.post.sender.domain)
        with self.database.connect() as connection:
            org_id = organization_written_to(connection, mail)
        if org_id is None:
            return Received(kind=mail.kind, reason=mail.reason)
        return self.perform(OrgRef(id=org_id), lambda work: receive(work, mail))

    def retry_failed(self, org: OrgRef, call: RetryCall) -> Iterator[Retried]:
        """Send failed emails of a series again, message by message (contract §9)."""
        org_id = self.ask(org, lambda work: work.org_id)
        post = self.post
        return retry_failed(self._transact(org_id), post.transport, post.sender, call, post.gate)

    def settle(self, org_id: UUID) -> Iterator[Reaction | Advance]:
        """Handle the organisation's signals and due rows, transaction by transaction (§1)."""
        return settle(
            self._transact(org_id), self.post, self.interruptions, self._health_of(org_id)
        )

    def tick(self, org_id: UUID) -> Iterator[Reaction | Advance]:
        """Settle, and re-evaluate when the organisation's cron says so (contract §1, §4)."""
        return tick(self._transact(org_id), self.post, self.interruptions, self._health_of(org_id))

    def wake(self) -> int:
        """Put parked signals whose pause is over back into the queue; return how many."""
        with self.database.connect() as connection:
            waiting = organizations_to_wake(connection)
        return sum(map(self._wake, waiting))

    def _wake(self, org_id: UUID) -> int:
        try:
            return self._transact(org_id)(wake)
        except Refusal:
            # It was erased just now; the others are still woken.
            return 0

    def _health_of(self, org_id: UUID) -> Health:
        if len(self._healths) >= _MOST_KNOWN:
            self._healths.clear()
        return self._healths.setdefault(org_id, Health())

    def _transact(self, org_id: UUID) -> Transactions:
        return OrganizationTransactions(self.database, OrgRef(id=org_id), self.clock)

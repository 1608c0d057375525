"""The engine's interface, which tasks, commands, rehearsals and tests use.

It owns the clock, the transactions, the doorbell and the post office.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol, Self, TypeVar
from uuid import UUID

import sqlalchemy

from halo_engine.database import kept_connection, run_in_transaction
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import bad_token, organization_of
from halo_engine.mail.incoming.receive import Received, organization_written_to, receive
from halo_engine.mail.incoming.senders import sender_domains
from halo_engine.mail.reading.incoming_mail import read_mail
from halo_engine.mail.sending.confirming import Confirmed
from halo_engine.mail.sending.retrying.retries import RetriedMail, RetryCall
from halo_engine.mail.sending.retrying.retry import retry_failed
from halo_engine.opening import OrganizationCache, OrganizationTransactions
from halo_engine.outages import database_trouble
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.agenda import organizations_with_work
from halo_engine.pipeline.chores import Chores, is_gone
from halo_engine.pipeline.due import PostOffice
from halo_engine.pipeline.health import Health
from halo_engine.pipeline.isolate import Interruptions
from halo_engine.pipeline.reaction import Reaction
from halo_engine.pipeline.settle import settle, tick
from halo_engine.set_transactions import SetTransactions
from halo_engine.sets import Outcome, SetCall
from halo_engine.webhooks.claiming import due_endpoints
from halo_engine.webhooks.delivering import DeliveryTurn
from halo_engine.webhooks.posting import PUBLIC_ALONE, CallRules
from halo_engine.work import Organization, OrgRef, RoundTrip, Transactions, Work

_Result = TypeVar("_Result")

InOneTrip = Callable[[Organization, datetime | None], RoundTrip[_Result] | None]

#: Of so many organisations a process remembers how their work goes.
_MOST_HEALTHS: Final = 10_000


class Around(Protocol):
    """What runs within each transaction of ``Engine.perform``, around its action."""

    def __call__(self, work: Work, action: Callable[[Work], _Result]) -> _Result:
        """Return what ``action`` returns."""


def _nobody_rings(_org_id: UUID) -> None:
    """Ring nobody: the next tick handles the signals."""


@dataclass(frozen=True)
class Engine:
    """Doors and flows on one database.

    ``clock`` gives the current instant; None is the database's own clock. ``ring`` is called after
    the commit for an organisation whose signals wait. ``interruptions`` are exceptions that tell
    the caller to stop: no signal is at fault. ``around`` wraps the action of each transaction that
    ``perform`` opens. ``call_rules`` say how webhooks may be sent.
    """

    database: sqlalchemy.Engine
    post: PostOffice
    clock: Callable[[], datetime] | None = None
    ring: Callable[[UUID], object] = _nobody_rings
    interruptions: Interruptions = ()
    around: Around | None = None
    call_rules: CallRules = PUBLIC_ALONE
    _with_webhooks: set[UUID] = field(default_factory=set, init=False, repr=False)
    _cache: OrganizationCache = field(default_factory=OrganizationCache, init=False, repr=False)
    _healths: dict[UUID, Health] = field(default_factory=dict, init=False, repr=False)

    def perform(
        self,
        org: OrgRef,
        action: Callable[[Work], _Result],
        in_one_trip: InOneTrip[_Result] | None = None,
    ) -> _Result:
        """Run a door in a transaction of its own; when this returns, it is committed (contract §2).

        A refusal writes nothing. A lost race runs the door again. ``in_one_trip`` is the same door
        in one round trip, for an organisation that is cached from an earlier call.
        """
        known = self._cache.get(org)
        if known is not None and in_one_trip is not None and self.around is None:
            result = self._perform_in_one_trip(known, in_one_trip)
            if result is not None:
                self.ring(known.id)
                return result

        def opened(connection: sqlalchemy.Connection) -> tuple[_Result, Organization]:
            work = self._cache.open_work(connection, org, self._now)
            work = replace(work, reach=self.post.reach)
            result = self.around(work, action) if self.around else action(work)
            return result, work.org

        result, found = run_in_transaction(self.database, opened)
        if in_one_trip is not None or found.known_fields:
            self._cache.keep(org, found)
        self.ring(found.id)
        return result

    def id_of(self, org: OrgRef) -> UUID | None:
        """Return the id of an organisation, if it was there at an earlier call."""
        known = self._cache.get(org)
        return org.id if known is None else known.id

    def perform_set(self, org: OrgRef, calls: Sequence[SetCall]) -> list[Outcome]:
        """Do calls that wait together, in one transaction; return what became of each, in order.

        An outcome is an answer, a Refusal, or another error of this call alone. A call with an
        answer is committed (contract §2). Raises errors that concern all of them, such as an
        outage.
        """
        found, outcomes = self._sets.perform(org, calls)
        if found is not None:
            self.ring(found.id)
        return outcomes

    def perform_together(
        self, sets: Sequence[tuple[OrgRef, Sequence[SetCall]]]
    ) -> list[list[Outcome]]:
        """Do sets of several organisations in one transaction and one round trip, as far as that
        is possible; return what became of each call, in order.

        An outcome is None of a call that was not done: its organisation's set needs more than one
        trip, one of them met an error, or would have to wait for a lock. The caller then does it
        by ``perform_set``, where it concerns nobody else, and calls ``ring_for`` for those whose
        calls were done. An outage is the outcome of each call that it left undone.
        """
        return self._sets.perform_together(sets)

    def ring_for(self, org: OrgRef) -> None:
        """Ring for an organisation that is known from an earlier call."""
        known = self._cache.get(org)
        if known is not None:
            self.ring(known.id)

    def concerns_all(self, error: Exception) -> bool:
        """Return whether an error is no call's fault: an outage, or the worker has to stop."""
        return isinstance(error, self.interruptions) or database_trouble(error) is not None

    def _perform_in_one_trip(
        self, known: Organization, in_one_trip: InOneTrip[_Result]
    ) -> _Result | None:
        """Do a call in one trip; None if it has to go the usual way: one trip is not enough, or the
        cached organisation refuses it, which may have changed.
        """
        try:
            trip = in_one_trip(known, self._now)
        except Refusal:
            return None
        if trip is None:
            return None
        with kept_connection(self.database) as at_once:
            return trip.read(at_once(trip.calls))

    @property
    def _sets(self) -> SetTransactions:
        return SetTransactions(self.database, self._cache, self.clock, self.concerns_all)

    @property
    def _now(self) -> datetime | None:
        return self.clock() if self.clock else None

    def ask(self, org: OrgRef, question: Callable[[Work], _Result]) -> _Result:
        """Run a read-only action in a transaction of its own; no doorbell rings."""
        return replace(self, ring=_nobody_rings, around=None).perform(org, question)

    def within(self, around: Around) -> Self:
        """Return this engine with another ``around``."""
        return replace(self, around=around)

    def redeem(
        self, token: str, door: Callable[[Work], _Result], *, reads: bool = False
    ) -> _Result:
        """Run a door for somebody who follows a link in a mail, in the organisation that it names
        (§9).

        The door verifies ``token``; an organisation that is gone is a bad token too. If the door
        only ``reads``, no doorbell rings.
        """
        run = self.ask if reads else self.perform
        try:
            return run(OrgRef(id=organization_of(token)), door)
        except Refusal as refusal:
            if is_gone(refusal):
                raise bad_token() from None
            raise

    def receive(self, raw: bytes) -> Received:
        """Take in a raw mail (RFC 5322), in the organisation whose mail it names (contract §2).

        A mail that is not about one of ours changes nothing.
        """
        mail = read_mail(raw)
        with self.database.connect() as connection:
            if mail.mails:
                mail = mail.under(self.post.sender.domain, *sender_domains(connection))
            org_id = organization_written_to(connection, mail)
        if org_id is None:
            return Received(kind=mail.kind, reason=mail.reason)
        return self.perform(OrgRef(id=org_id), lambda work: receive(work, mail))

    def retry_failed(self, org: OrgRef, call: RetryCall) -> Iterator[RetriedMail]:
        """Send failed emails of a series again, message by message (contract §9)."""
        org_id = self.ask(org, lambda work: work.org_id)
        post = self.post
        return retry_failed(
            self._transact(org_id), post.transport, post.sender, call, post.throttle
        )

    def settle(self, org_id: UUID) -> Iterator[Reaction | Advance | Confirmed]:
        """Handle the organisation's signals and due rows, transaction by transaction (§1)."""
        return settle(
            self._transact(org_id), self.post, self.interruptions, self._health_of(org_id)
        )

    def tick(self, org_id: UUID) -> Iterator[Reaction | Advance | Confirmed]:
        """Settle, and re-evaluate when the organisation's cron says so (contract §1, §4)."""
        return tick(self._transact(org_id), self.post, self.interruptions, self._health_of(org_id))

    def ring_for_all(self) -> int:
        """Ring for every organisation with work; return how many there are."""
        with self.database.connect() as connection:
            waiting = organizations_with_work(connection)
        for org_id in waiting:
            self.ring(org_id)
        return len(waiting)

    @property
    def chores(self) -> Chores:
        """What is done at each tick for all organisations of this database."""

        def perform(org_id: UUID, action: Callable[[Work], int]) -> int:
            return self.perform(OrgRef(id=org_id), action)

        return Chores(self.database, self._now, self._transact, perform, self.concerns_all)

    def has_webhooks(self, org_id: UUID) -> bool:
        """Return whether the organisation had webhook endpoints when it was settled last."""
        return org_id in self._with_webhooks

    def deliver_webhooks(
        self, ends: float, go_on: Callable[[], object] = lambda: None
    ) -> Counter[str]:
        """Send what is due to webhook endpoints, until ``ends`` (``time.monotonic``) (§14).

        Returns how many messages were delivered, and how many failed.
        """
        with self.database.connect() as connection:
            endpoints = due_endpoints(connection, self._now)
        return DeliveryTurn(self._transact, self.call_rules, ends, go_on).run(endpoints)

    def webhooks_wait(self) -> bool:
        """Return whether something is due at a webhook endpoint."""
        with self.database.connect() as connection:
            return bool(due_endpoints(connection, self._now))

    def _note_webhooks(self, org: Organization) -> None:
        if org.webhook_kinds:
            self._with_webhooks.add(org.id)
        else:
            self._with_webhooks.discard(org.id)

    def _health_of(self, org_id: UUID) -> Health:
        if len(self._healths) >= _MOST_HEALTHS:
            self._healths.clear()
        return self._healths.setdefault(org_id, Health())

    def _transact(self, org_id: UUID) -> Transactions:
        return OrganizationTransactions(
            self.database, OrgRef(id=org_id), self.clock, opened=self._note_webhooks
        )

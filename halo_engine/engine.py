"""The engine as its callers see it: tasks, the command line, rehearsals and tests all stand here.

It owns what the edge owns: the clock, the transaction, the doorbell and the post office.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import sqlalchemy

from halo_engine.contacts.receive import Received, organization_written_to, receive
from halo_engine.database import run_in_transaction
from halo_engine.delivery.retries import Retried, RetryCall
from halo_engine.delivery.retry import retry_failed
from halo_engine.domain.errors import Refusal
from halo_engine.domain.incoming_mail import read_mail
from halo_engine.domain.mail_tokens import bad_token, organization_of
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.reaction import Reaction
from halo_engine.pipeline.settle import Interruptions, PostOffice, settle, tick
from halo_engine.work import OrganizationTransactions, OrgRef, Transactions, Work, open_work

_Result = TypeVar("_Result")


def _nobody_rings(_org_id: UUID) -> None:
    """Leave it to the next tick."""


@dataclass(frozen=True)
class Engine:
    """Doors and flows on one database.

    ``clock`` gives the business's instant; None is the database's own clock. ``ring`` is told,
    after the commit, whose signals wait. ``interruptions`` are the exceptions by which the caller
    is told to stop: they are no signal's fault.
    """

    database: sqlalchemy.Engine
    post: PostOffice
    clock: Callable[[], datetime] | None = None
    ring: Callable[[UUID], object] = _nobody_rings
    interruptions: Interruptions = ()

    def perform(self, org: OrgRef, action: Callable[[Work], _Result]) -> _Result:
        """Run a door in a transaction of its own; when this returns, it is committed (contract §2).

        A refusal leaves nothing behind. A lost race runs the door again.
        """

        def opened(connection: sqlalchemy.Connection) -> tuple[_Result, UUID]:
            work = open_work(connection, org, self.clock() if self.clock else None)
            return action(work), work.org_id

        result, org_id = run_in_transaction(self.database, opened)
        self.ring(org_id)
        return result

    def ask(self, org: OrgRef, question: Callable[[Work], _Result]) -> _Result:
        """Run what only reads in a transaction of its own; nobody is rung for."""
        return replace(self, ring=_nobody_rings).perform(org, question)

    def redeem(
        self, token: str, door: Callable[[Work], _Result], *, reads: bool = False
    ) -> _Result:
        """Run a door for the holder of a link in a mail, in the organisation that it names (§9).

        The door verifies ``token``; an organisation that is gone is a bad token too. Nobody is rung
        for when the door only ``reads``.
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

        About none of ours, whatever it is, it changes nothing.
        """
        mail = read_mail(raw)
        with self.database.connect() as connection:
            org_id = organization_written_to(connection, mail)
        if org_id is None:
            return Received(kind=mail.kind)
        return self.perform(OrgRef(id=org_id), lambda work: receive(work, mail))

    def retry_failed(self, org: OrgRef, call: RetryCall) -> Iterator[Retried]:
        """Send failed emails of a series again, message by message (contract §9)."""
        org_id = self.ask(org, lambda work: work.org_id)
        post = self.post
        return retry_failed(self._transact(org_id), post.transport, post.sender, call, post.gate)

    def settle(self, org_id: UUID) -> Iterator[Reaction | Advance]:
        """Handle the organisation's signals and due rows, transaction by transaction (§1)."""
        return settle(self._transact(org_id), self.post, self.interruptions)

    def tick(self, org_id: UUID) -> Iterator[Reaction | Advance]:
        """Settle, and re-evaluate when the organisation's cron says so (contract §1, §4)."""
        return tick(self._transact(org_id), self.post, self.interruptions)

    def _transact(self, org_id: UUID) -> Transactions:
        return OrganizationTransactions(self.database, OrgRef(id=org_id), self.clock)

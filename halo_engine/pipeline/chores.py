"""The chores of a tick: what is done for all organisations of a database, whoever has work."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import sqlalchemy

from halo_engine.contacts.clients.giving import organizations_to_tend, tend
from halo_engine.contacts.consent.pending import (
    organizations_to_sweep as organizations_to_sweep_pending,
)
from halo_engine.contacts.consent.pending import sweep_pending
from halo_engine.database import MovedAway
from halo_engine.domain.errors import Refusal
from halo_engine.mail.incoming.scanning import judge_links, organizations_to_judge
from halo_engine.pipeline.wake import organizations_to_wake, wake
from halo_engine.retention.dropping import drop_old_months
from halo_engine.retention.months import Months
from halo_engine.retention.sweeping import organizations_to_sweep, sweep_page
from halo_engine.work import Transactions, Work


def is_gone(error: Exception) -> bool:
    """Return whether an error says that there is no such organisation, or that it is elsewhere."""
    if isinstance(error, MovedAway):
        return True
    return isinstance(error, Refusal) and error.code == "unknown_organisation"


@dataclass(frozen=True, slots=True)
class Chores:
    """The chores of one database.

    ``now`` is None for the database's clock. ``transact`` gives an organisation's transactions;
    ``perform`` runs a door there, and rings. ``concerns_all`` says of an error whether it is no
    organisation's own.
    """

    database: sqlalchemy.Engine
    now: datetime | None
    transact: Callable[[UUID], Transactions]
    perform: Callable[[UUID, Callable[[Work], int]], int]
    concerns_all: Callable[[Exception], bool]

    def wake(self) -> int:
        """Put parked signals whose pause is over back into the queue; return how many."""
        return self._in_each(organizations_to_wake, wake)

    def tend_waiting_calls(self) -> int:
        """Do calls whose unknown user came by another door, and delete what waited too long (§13);
        return of how many organisations.
        """
        with self.database.connect() as connection:
            found = organizations_to_tend(connection)

        def tend_all(org_id: UUID) -> int:
            while self.perform(org_id, tend):
                pass
            return 1

        return self._each(found, tend_all)

    def sweep_pending(self) -> int:
        """Delete pending members who did not confirm in time, and old mails (§16); return how
        many.
        """
        return self._in_each(partial(organizations_to_sweep_pending, now=self.now), sweep_pending)

    def judge_links(self) -> int:
        """Judge the links of mails that a killed web process left, and delete old ones (§16);
        return how many were judged.
        """
        return self._in_each(partial(organizations_to_judge, now=self.now), judge_links)

    def tend_months(self) -> tuple[int, list[str]]:
        """Make the months of events that are to come, and drop the old ones (§24); return how many
        were made, and the names of those dropped.
        """
        now = self.now or datetime.now(UTC)
        made = Months(self.database).make_ahead(now)
        return made, drop_old_months(self.database, now, self.transact)

    def delete_old(self, ends: float) -> int:
        """Delete what is older than it is kept, until ``ends`` (``time.monotonic``) (§24); return
        how many rows.
        """
        with self.database.connect() as connection:
            found = organizations_to_sweep(connection, self.now)

        def sweep(org_id: UUID) -> int:
            deleted = 0
            while time.monotonic() < ends:
                swept = self.transact(org_id)(sweep_page)
                deleted += swept.deleted
                if swept.is_done:
                    break
            return deleted

        return self._each(found, sweep)

    def _in_each(
        self,
        find: Callable[[sqlalchemy.Connection], Iterable[UUID]],
        chore: Callable[[Work], int],
    ) -> int:
        """Do a chore in each organisation found, in a transaction of its own; return the sum."""
        with self.database.connect() as connection:
            found = find(connection)
        return self._each(found, lambda org_id: self.transact(org_id)(chore))

    def _each(self, org_ids: Iterable[UUID], chore: Callable[[UUID], int]) -> int:
        """Do a chore for each organisation, and return the sum.

        An error of one is raised once the others are done. One that was erased meanwhile, or has
        moved, is passed over.
        """
        done, troubles = 0, list[Exception]()
        for org_id in org_ids:
            try:
                done += chore(org_id)
            except Exception as error:
                if is_gone(error):
                    continue
                if self.concerns_all(error):
                    raise
                troubles.append(error)
        if troubles:
            raise troubles[0]
        return done

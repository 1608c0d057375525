"""The transactions in which sets of calls are done (contract §2, decisions 36 and 41).

A set goes in one round trip if it can, else in a transaction of its own, and after an error call by
call: so one call's error is nobody else's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat

import sqlalchemy
from sqlalchemy.exc import OperationalError

from halo_engine.database import WAIT_BRIEFLY, kept_connection, run_in_transaction
from halo_engine.domain.errors import Refusal
from halo_engine.opening import OrganizationCache
from halo_engine.sets import OrgCalls, Outcome, SetCall, SetForm, in_groups, perform_calls
from halo_engine.work import Organization, OrgRef


@dataclass(frozen=True, slots=True)
class SetTransactions:
    """Does sets of calls on a database, with the organisations that the process cached.

    ``clock`` gives the current instant; None is the database's own clock. ``concerns_all`` says
    whether an error is no call's fault.
    """

    database: sqlalchemy.Engine
    cache: OrganizationCache
    clock: Callable[[], datetime] | None
    concerns_all: Callable[[Exception], bool]

    def perform(
        self, org: OrgRef, calls: Sequence[SetCall]
    ) -> tuple[Organization | None, list[Outcome]]:
        """Do calls of one organisation; return the organisation, if it is there, and the outcome of
        each call, in order.

        Raises errors that concern all calls.
        """
        cached = self.cache.get(org)
        outcomes: list[Outcome] = [None] * len(calls)
        if cached is not None:
            form = _only_form(cached, calls)
            if form is not None:
                given = OrgCalls(cached, [each.call for each in calls])
                outcomes = [*self._in_one_trip(form, [given])]
        left = [ordinal for ordinal, outcome in enumerate(outcomes) if outcome is None]
        if not left:
            return cached, outcomes
        found, done = self._in_one_transaction(org, [calls[ordinal] for ordinal in left])
        for ordinal, outcome in zip(left, done, strict=True):
            outcomes[ordinal] = outcome
        return found or cached, outcomes

    def perform_together(
        self, sets: Sequence[tuple[OrgRef, Sequence[SetCall]]]
    ) -> list[list[Outcome]]:
        """Do those sets of several organisations that go in one round trip; the outcome of a call
        that is left undone is None, or the outage.
        """
        outcomes: list[list[Outcome]] = [[None] * len(calls) for _, calls in sets]
        joined: dict[SetForm, dict[int, OrgCalls]] = {}
        for number, (ref, calls) in enumerate(sets):
            cached = self.cache.get(ref)
            form = None if cached is None else _only_form(cached, calls)
            if cached is not None and form is not None:
                given = OrgCalls(cached, [each.call for each in calls])
                if form.joins(given):
                    joined.setdefault(form, {})[number] = given
        for form, given_of in joined.items():
            done: Iterator[Outcome]
            try:
                done = iter(self._in_one_trip(form, [*given_of.values()]))
            except Exception as error:  # noqa: BLE001 -- what another form did has its answers
                done = repeat(error)
            for number, (_, calls) in given_of.items():
                outcomes[number] = list(islice(done, len(calls)))
        return outcomes

    def _in_one_trip(self, form: SetForm, given: Sequence[OrgCalls]) -> Sequence[Outcome]:
        """Do the calls in one round trip; the outcome is None of those that need more.

        If they are of several organisations, none waits for long, nor tries again, for another.
        """
        nothing: list[Outcome] = [None] * sum(len(each.calls) for each in given)
        trip = form.in_one_trip(given, self._now) if form.in_one_trip else None
        if trip is None:
            return nothing
        try:
            if len(given) == 1:
                with kept_connection(self.database) as at_once:
                    return trip.read(at_once(trip.calls)) or nothing
            with kept_connection(self.database, attempts=1) as at_once:
                return trip.read(at_once([WAIT_BRIEFLY, *trip.calls])) or nothing
        except Exception as error:
            if self.concerns_all(error):
                raise
            return nothing

    def _in_one_transaction(
        self, org: OrgRef, calls: Sequence[SetCall]
    ) -> tuple[Organization | None, list[Outcome]]:
        """Do the calls in one transaction; after an error that may be one call's own, one by
        one.
        """

        def opened(connection: sqlalchemy.Connection) -> tuple[Organization, list[Outcome]]:
            work = self.cache.open_work(connection, org, self._now)
            return work.org, perform_calls(work, calls, work.org.known_fields)

        try:
            found, outcomes = run_in_transaction(self.database, opened)
        except Refusal as refusal:
            # There is no such organisation.
            return None, [refusal] * len(calls)
        except Exception as error:
            if self.concerns_all(error):
                raise
            if len(calls) == 1:
                return None, [error]
            return self._one_by_one(org, calls)
        self.cache.keep(org, found)
        return found, outcomes

    def _one_by_one(
        self, org: OrgRef, calls: Sequence[SetCall]
    ) -> tuple[Organization | None, list[Outcome]]:
        """Do each call in a transaction of its own. An outage or a time limit is the outcome of all
        calls that are left: the others would wait as long.
        """
        known: Organization | None = None
        outcomes: list[Outcome] = []
        for call in calls:
            try:
                found, [outcome] = self._in_one_transaction(org, [call])
            except Exception as error:  # noqa: BLE001 -- what was done before has its answer
                return known, [*outcomes, *[error] * (len(calls) - len(outcomes))]
            known = found or known
            outcomes.append(outcome)
            if isinstance(outcome, OperationalError):
                break
        left = len(calls) - len(outcomes)
        return known, [*outcomes, *outcomes[-1:] * left]

    @property
    def _now(self) -> datetime | None:
        return self.clock() if self.clock else None


def _only_form(known: Organization, calls: Sequence[SetCall]) -> SetForm | None:
    """Return the form of calls that may all go at once, in one round trip; else None."""
    groups = in_groups(calls, known.known_fields)
    form = groups[0].form
    return form if len(groups) == 1 and form.in_one_trip is not None else None

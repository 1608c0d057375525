"""Settle an organisation: handle signals in order of arrival, then due rows, until nothing is left
(contract §1).

A doorbell asks for it; a tick does it and then begins a re-evaluation that is due.
"""

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from halo_engine.enrollment.enroll import Admission
from halo_engine.enrollment.releasing import go_on_releasing
from halo_engine.mail.sending.confirming import Confirmations, Confirmed
from halo_engine.pipeline import drain
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.due import Due, PostOffice
from halo_engine.pipeline.health import Health
from halo_engine.pipeline.isolate import BatchError, Interruptions, attempt, kind_of
from halo_engine.pipeline.passes.beginning import begin_due_reevaluation
from halo_engine.pipeline.reaction import Reaction
from halo_engine.work import Transactions, Work

_log: Final = structlog.get_logger(__name__)


def tick(
    transact: Transactions,
    post: PostOffice,
    interruptions: Interruptions = (),
    health: Health | None = None,
) -> Iterator[Reaction | Advance | Confirmed]:
    """Take back dead workers' leases, settle, and re-evaluate if that is due (contract §1, §9)."""
    health = health or Health()
    Due(transact, post, health, interruptions).reap()
    began, is_long = monotonic(), False
    for moved in settle(transact, post, interruptions, health):
        yield moved
        if not is_long and monotonic() - began > drain.TURN_SECONDS:
            # Signals may keep coming: a pass that is due begins now, and takes turns with them.
            is_long = True
            transact(begin_due_reevaluation)
    if transact(begin_due_reevaluation):
        yield from settle(transact, post, interruptions, health)


def settle(
    transact: Transactions,
    post: PostOffice,
    interruptions: Interruptions = (),
    health: Health | None = None,
) -> Iterator[Reaction | Advance | Confirmed]:
    """Handle signals and due rows until nothing is left; yield the result of each transaction.

    If signals keep coming, due rows wait for one turn of them at most. Raises the ``interruptions``
    and errors that no batch causes (``isolate.is_everybodys``); any other error parks the signal or
    row at fault. The caller may stop after any result: everything so far is committed, the rest
    stays due. ``health`` is what this process remembers of the organisation.
    """
    health = health or Health()
    moved = True
    while moved:
        moved = yield from drain.Drain(transact, health, interruptions).run()
        for advanced in Due(transact, post, health, interruptions).run():
            moved = True
            yield advanced
        for confirmed in _confirm(transact, post, health):
            moved = True
            yield confirmed
        for released in _release(transact, health, interruptions):
            moved = True
            yield released


def _release(
    transact: Transactions, health: Health, interruptions: Interruptions
) -> Iterator[Reaction]:
    """Let those enter who are released at a pace, and may now (contract §19).

    A series that fails is withheld for a while.
    """
    while health.releases:

        def releasing(work: Work, taken: list[UUID]) -> list[Admission]:
            return go_on_releasing(work, health.withheld(work.now), taken)

        try:
            admissions = attempt(transact, releasing, interruptions)
        except BatchError as failed:
            series = failed.batch[-1]
            _log.error("series aside", series=series, problem=kind_of(failed.problem))
            health.withhold(series, failed.problem, transact(lambda work: work.now))
            continue
        if not admissions:
            return
        yield Reaction([], [], admissions)


def _confirm(transact: Transactions, post: PostOffice, health: Health) -> Iterator[Confirmed]:
    """Send mails that ask to confirm a list, where there may be any."""
    if health.asks_to_confirm:
        lease = timedelta(seconds=post.lease_seconds)
        yield from Confirmations(transact, post.transport, post.sender, post.throttle, lease).run()

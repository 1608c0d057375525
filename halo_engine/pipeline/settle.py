"""Settling an organisation: signals in order of arrival, then due rows, again until nothing is left
(contract §1).

What a doorbell asks for, and what a tick does after it began a re-evaluation that is due.
"""

from collections.abc import Iterator
from time import monotonic

from halo_engine.pipeline import drain
from halo_engine.pipeline.advance import Advance
from halo_engine.pipeline.due import Due, PostOffice
from halo_engine.pipeline.health import Health
from halo_engine.pipeline.isolate import Interruptions
from halo_engine.pipeline.reaction import Reaction
from halo_engine.pipeline.reevaluate import begin_due_reevaluation
from halo_engine.work import Transactions


def tick(
    transact: Transactions,
    post: PostOffice,
    interruptions: Interruptions = (),
    health: Health | None = None,
) -> Iterator[Reaction | Advance]:
    """Take up what dead workers left, settle, and re-evaluate if that is due (contract §1, §9)."""
    health = health or Health()
    Due(transact, post, health, interruptions).reap()
    began, is_long = monotonic(), False
    for moved in settle(transact, post, interruptions, health):
        yield moved
        if not is_long and monotonic() - began > drain.TURN_SECONDS:
            # There may be no end to it: then a pass that is due takes turns with the rest.
            is_long = True
            transact(begin_due_reevaluation)
    if transact(begin_due_reevaluation):
        yield from settle(transact, post, interruptions, health)


def settle(
    transact: Transactions,
    post: PostOffice,
    interruptions: Interruptions = (),
    health: Health | None = None,
) -> Iterator[Reaction | Advance]:
    """Handle signals and due rows until nothing is left, yielding what each transaction came to.

    Signals that keep coming hold up no due row for longer than a turn. One of the ``interruptions``
    ends it, and what is everybody's fault (``isolate.is_everybodys``); whatever else is raised is
    the signal's or the row's that it is about. Between two transactions the caller may stop:
    everything so far is committed, and the rest stays due. ``health`` is what the process knows of
    the organisation from before.
    """
    health = health or Health()
    moved = True
    while moved:
        moved = yield from drain.Drain(transact, health, interruptions).run()
        for advanced in Due(transact, post, health, interruptions).run():
            moved = True
            yield advanced

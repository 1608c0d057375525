"""Settling an organisation: signals in order of arrival, then due rows, again until nothing is left
(contract §1).

What a doorbell asks for, and what a tick does after it began a re-evaluation that is due.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from time import monotonic

import structlog
from sqlalchemy.exc import OperationalError

from halo_engine.delivery.gate import Gate
from halo_engine.delivery.message import Sender
from halo_engine.delivery.outbox import send_leased
from halo_engine.delivery.reap import reap
from halo_engine.delivery.transports import Transport
from halo_engine.pipeline.advance import LEASE_SECONDS, Advance, advance
from halo_engine.pipeline.inbox import note_too_much, park_next
from halo_engine.pipeline.react import react
from halo_engine.pipeline.reaction import Reaction, TooMuchError
from halo_engine.pipeline.reevaluate import begin_due_reevaluation
from halo_engine.work import Transact, Transactions, Work

#: Signals and due rows that one transaction handles at most, chosen by measurement.
SIGNALS = 1_000
DUE_ROWS = 5_000
#: How long signals are handled, though more keep coming, before due rows and mail have their turn.
TURN_SECONDS = 5.0

Interruptions = tuple[type[Exception], ...]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PostOffice:
    """How emails leave: by which transport, from whom, how fast, and under leases of what length.

    By the database's clock a lease lasts ``lease_seconds``, longer than any task.
    """

    transport: Transport
    sender: Sender
    gate: Gate = field(default_factory=Gate)
    lease_seconds: float = LEASE_SECONDS


def tick(
    transact: Transactions, post: PostOffice, interruptions: Interruptions = ()
) -> Iterator[Reaction | Advance]:
    """Take up what dead workers left, settle, and re-evaluate if that is due (contract §1, §9)."""
    while transact(lambda work: reap(work, DUE_ROWS)):
        pass
    began, is_long = monotonic(), False
    for moved in settle(transact, post, interruptions):
        yield moved
        if not is_long and monotonic() - began > TURN_SECONDS:
            # There may be no end to it: then a pass that is due takes turns with the rest.
            is_long = True
            transact(begin_due_reevaluation)
    if transact(begin_due_reevaluation):
        yield from settle(transact, post, interruptions)


def settle(
    transact: Transactions, post: PostOffice, interruptions: Interruptions = ()
) -> Iterator[Reaction | Advance]:
    """Handle signals and due rows until nothing is left, yielding what each transaction came to.

    Signals that keep coming hold up no due row for longer than a turn. One of the ``interruptions``
    ends it; whatever else handling a signal raises is that signal's. Between two of them the caller
    may stop: everything so far is committed, and the rest stays due.
    """
    moved = True
    while moved:
        moved = yield from _drain(transact, interruptions)
        for advanced in _advance(transact, post):
            moved = True
            yield advanced


def _advance(transact: Transactions, post: PostOffice) -> Iterator[Advance]:
    """Handle a batch of due rows, and send its emails; what need not wait for mail goes first."""
    room = post.gate.room(DUE_ROWS)
    lease = post.lease_seconds
    if room < DUE_ROWS:
        advanced = transact(lambda work: advance(work, DUE_ROWS, lease, mail=False))
        if advanced is not None:
            yield advanced
    if room:
        advanced = transact(lambda work: advance(work, room, lease))
        if advanced is not None:
            send_leased(
                transact, post.transport, post.sender, advanced.token, advanced.sends, post.gate
            )
            yield advanced


def _drain(transact: Transact, interruptions: Interruptions) -> Generator[Reaction, None, bool]:
    """React to signals until none waits, or the turn is over; return whether some may wait still.

    One that makes its batch fail is isolated and parked. A batch or a page that takes too long is
    halved from one try to the next, whoever tries it.
    """
    # The others first: whoever worked the last page may have had no time left for them.
    limit, beside_wide = SIGNALS, True
    began = monotonic()
    while True:
        tried = monotonic()
        try:
            reaction = transact(_reacting(limit, beside_wide=beside_wide))
        except TooMuchError as error:
            _note(transact, error)
            # The others' turn, and the caller's: it may have no time left for another try.
            beside_wide = True
            yield Reaction(error.batch, [], [], unfinished=True)
            continue
        except OperationalError:
            # The server is away or out of something: no signal's fault.
            raise
        except interruptions:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a poisonous signal raises
            if limit > 1:
                # The caller's time may be up before ten tries that each fail as late as this one.
                limit = limit // 2 if monotonic() - tried < TURN_SECONDS else 1
                continue
            _park(transact, error, beside_wide=beside_wide)
            continue
        if reaction is None:
            return False
        beside_wide = reaction.unfinished
        limit = min(limit * 2, SIGNALS)
        yield reaction
        if monotonic() - began >= TURN_SECONDS:
            return True


def _reacting(limit: int, *, beside_wide: bool) -> Callable[[Work], Reaction | None]:
    return lambda work: react(work, limit, beside_wide=beside_wide)


def _note(transact: Transact, error: TooMuchError) -> None:
    """Note that a batch or a page was too much for one go."""
    first, problem = error.batch[0].id, str(error)
    if transact(lambda work: note_too_much(work, error.batch, error.limit, problem)):
        _log.error("signal parked", signal=first, problem=problem)
    else:
        _log.warning("too much at once", signals=len(error.batch), first=first, problem=problem)


def _park(transact: Transact, error: Exception, *, beside_wide: bool) -> None:
    """Set the signal at the head aside, with what it raised; it waits for a person (``halo
    status``).
    """
    problem = f"{type(error).__name__}: {error}"
    parked = transact(lambda work: park_next(work, problem, beside_wide=beside_wide))
    _log.error("signal parked", signal=parked, problem=problem)

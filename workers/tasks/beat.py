"""The tick and the settling of an organisation, as tasks: beat and doorbells send them (§1)."""

import time
from collections import Counter
from uuid import UUID

import structlog

from halo_engine.pipeline.agenda import note_tick, organizations_with_work
from halo_engine.pipeline.reaction import Reaction
from halo_engine.settings import TURN_SECONDS
from workers.app import app
from workers.doorbell import answer, begin_to_look, end_looking, go_on_looking, ring
from workers.engine import engine

_log = structlog.get_logger(__name__)


@app.task(name="halo.tick")
def tick() -> int:
    """Note that a tick came, and ring for every organisation with work; return how many."""
    with engine().database.begin() as connection:
        note_tick(connection)
    engine().wake()
    return ring_for_all()


def ring_for_all() -> int:
    """Ring for every organisation with work; return how many there are."""
    with engine().database.connect() as connection:
        waiting = organizations_with_work(connection)
    for org_id in waiting:
        ring(org_id)
    return len(waiting)


@app.task(name="halo.settle", ignore_result=True)
def settle(org_id: str) -> None:
    """Handle the organisation's signals, due rows and due re-evaluation, for one turn at most.

    If another worker handles its signals now, that one is told to look again instead.
    """
    organization = UUID(org_id)
    ends = time.monotonic() + TURN_SECONDS
    while begin_to_look(organization):
        try:
            is_over = _look(organization, ends)
        finally:
            is_called = end_looking(organization)
        if is_over:
            # A worker that left a note used its message up: the bell must ring again.
            answer(organization)
            ring(organization)
            return
        if not is_called:
            return


def _look(organization: UUID, ends: float) -> bool:
    """Settle until nothing is left or the turn is over; return whether the turn is over.

    One log entry sums up all its transactions.
    """
    answer(organization)
    counted: Counter[str] = Counter()
    try:
        for moved in engine().tick(organization):
            counted += moved.counts
            if isinstance(moved, Reaction):
                go_on_looking(organization)
            if time.monotonic() > ends:
                return True
        return False
    finally:
        if counted:
            _log.info("settled", org_id=organization, **counted)

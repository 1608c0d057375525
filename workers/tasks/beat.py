"""What beat and doorbells send: the tick, and the settling of an organisation (contract §1)."""

import time
from uuid import UUID

import structlog

from halo_engine.pipeline.agenda import note_tick, organizations_with_work
from workers.app import app
from workers.doorbell import answer, ring
from workers.engine import engine
from workers.engine_task import TURN_SECONDS

_log = structlog.get_logger(__name__)


@app.task(name="halo.tick")
def tick() -> int:
    """Note that a tick came, and ring for every organisation with work; return how many."""
    with engine().database.begin() as connection:
        note_tick(connection)
    return ring_for_all()


def ring_for_all() -> int:
    """Ring for every organisation that has something to do; return how many there are."""
    with engine().database.connect() as connection:
        waiting = organizations_with_work(connection)
    for org_id in waiting:
        ring(org_id)
    return len(waiting)


@app.task(name="halo.settle", ignore_result=True)
def settle(org_id: str) -> None:
    """Handle the organisation's signals, due rows and due re-evaluation, for one turn at most."""
    organization = UUID(org_id)
    answer(organization)
    ends = time.monotonic() + TURN_SECONDS
    for moved in engine().tick(organization):
        _log.info("moved", org_id=org_id, what=str(moved))
        if time.monotonic() > ends:
            ring(organization)
            return

"""The tick and the settling of an organisation, as tasks: beat and doorbells send them (§1)."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from halo_engine.cells.agreeing import agree
from halo_engine.contacts.csv_import.uploads.turns import stale_imports
from halo_engine.database import MovedAway
from halo_engine.pipeline.agenda import note_tick
from halo_engine.pipeline.chores import Chores
from halo_engine.pipeline.reaction import Reaction
from halo_engine.settings import TURN_SECONDS

from ..app import app
from ..cells import finder, own_cell
from ..doorbell import (
    WEBHOOKS,
    answer,
    begin_to_look,
    end_looking,
    go_on_looking,
    ring,
    ring_elsewhere,
    rung_meanwhile,
)
from ..engine import engine
from ..tracing.causes import caused_by, current
from ..tracing.spans import add_attributes, span, trace_contacts

_log = structlog.get_logger(__name__)

#: So long a tick deletes old rows; what is left waits for the next one.
_DELETING_SECONDS: Final = 2.0


@app.task(name="halo.tick")
def tick() -> int:
    """Note the tick, do all chores, and ring for every organisation with work.

    Returns how many these are. A failing chore holds up no other: its error is raised at the end.
    """
    with engine().database.begin() as connection:
        note_tick(connection)
    troubles: list[Exception] = []
    for chore in _CHORES:
        _do(chore, troubles)
    rung = engine().ring_for_all()
    _do(_delete_old, troubles)
    if troubles:
        raise troubles[0]
    return rung


def _do(chore: Callable[[], object], troubles: list[Exception]) -> None:
    try:
        chore()
    except Exception as error:
        if engine().concerns_all(error):
            raise
        troubles.append(error)


def _delete_old() -> None:
    """Delete what is older than it is kept, once everybody with work was rung for."""
    made, dropped = engine().chores.tend_months()
    if made or dropped:
        _log.info("tended_months", made=made, dropped=dropped)
    if deleted := engine().chores.delete_old(time.monotonic() + _DELETING_SECONDS):
        _log.info("deleted_old", rows=deleted)


def _ring_for_webhooks() -> None:
    if engine().webhooks_wait():
        ring(WEBHOOKS)


def _send_stale_imports() -> None:
    """Let workers resume imports whose worker died, or whose message was lost."""
    with engine().database.connect() as connection:
        stale = stale_imports(connection)
    for org, upload_id in stale:
        app.send_task("halo.imports.run", kwargs={"org": org, "id": str(upload_id)})


def _agree_with_directory() -> None:
    """Tell the directory which organisations there are, and their widget keys."""
    cell = own_cell()
    if cell is not None and finder().directory.trouble is None:
        agree(finder().directory.database, cell, engine().database)


def _of_engine(chore: Callable[[Chores], object]) -> Callable[[], object]:
    return lambda: chore(engine().chores)


_CHORES: Final[Sequence[Callable[[], object]]] = (
    _of_engine(Chores.wake),
    _of_engine(Chores.tend_waiting_calls),
    _of_engine(Chores.sweep_pending),
    _of_engine(Chores.judge_links),
    _ring_for_webhooks,
    _send_stale_imports,
    _agree_with_directory,
)


@app.task(name="halo.settle", ignore_result=True)
def settle(org_id: str) -> None:
    """Handle the organisation's signals, due rows and due re-evaluation, for one turn at most.

    If another worker handles its signals now, this one leaves it a note to look again.
    """
    organization = UUID(org_id)
    ends = time.monotonic() + TURN_SECONDS
    while begin_to_look(organization):
        try:
            is_over = _look(organization, ends)
        except MovedAway as moved:
            answer(organization)
            ring_elsewhere(organization, moved.cell)
            return
        finally:
            is_called = end_looking(organization)
        if is_over:
            # A worker that left a note has used up its message: the bell must ring again.
            with caused_by(answer(organization)):
                ring(organization)
            return
        if not is_called:
            return


def _look(organization: UUID, ends: float) -> bool:
    """Settle until nothing is left or the turn is over; return whether the turn is over.

    One log entry sums up all its transactions.
    """
    counted: Counter[str] = Counter()
    with span("turn", answer(organization), org_id=str(organization)):
        try:
            for moved in engine().tick(organization):
                counted += moved.counts
                if isinstance(moved, Reaction):
                    go_on_looking(organization)
                    if moved.moved:
                        trace_contacts(_contacts(moved))
                if time.monotonic() > ends:
                    return True
            return False
        finally:
            if engine().has_webhooks(organization):
                ring(WEBHOOKS)
            _say_settled(organization, counted)


def _contacts(moved: Reaction) -> Sequence[UUID]:
    return [each.contact_id for each in moved.signals if each.contact_id is not None]


def _say_settled(organization: UUID, counted: Counter[str]) -> None:
    """Log the results of a turn; without any, only if requests rang for it."""
    add_attributes(**counted)
    if counted or current().request_ids:
        with caused_by(rung_meanwhile(organization)):
            _log.info("settled", org_id=organization, **counted)

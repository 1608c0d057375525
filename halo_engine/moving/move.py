"""Move an organisation from one database to another while it works; take a move back.

Each step may be cut short at any statement: the same command does what is left. What says where the
organisation lives is the state of its move in the source (``switching``).
"""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from halo_engine.database import MovedAway
from halo_engine.domain.errors import conflict, not_found
from halo_engine.moving import ledger
from halo_engine.moving.checks import already_there, check_organization, check_places
from halo_engine.moving.clearing import clear
from halo_engine.moving.copying import copy
from halo_engine.moving.counting import last_arrival, raise_arrivals
from halo_engine.moving.ledger import ARRIVING, CANCELLED, LEAVING, MOVED, Move, Mover
from halo_engine.moving.mail import let_mail_go
from halo_engine.moving.places import Place, one_mover
from halo_engine.moving.progress import Tell
from halo_engine.moving.rows import forget_notes
from halo_engine.moving.switching import Limits, arrive, switch
from halo_engine.moving.watching import stop_watching, watch


def move(
    source: Place,
    target: Place,
    org_key: str,
    *,
    tell: Tell,
    note_cell: Callable[[UUID], object] = lambda _: None,
    limits: Limits | None = None,
) -> bool:
    """Move the organisation ``org_key`` from the source to the target, or finish its move.

    Returns whether it lives there: since an interrupted move it may have moved on, or been erased.
    ``note_cell`` is called once it lives there, and again if the command is repeated. Raises a 404
    for an organisation that the source does not know, and 409s for what keeps it from moving.
    """
    mover = _find(source, org_key)
    check_places(source, target)
    if not _has_moved(source, target, mover):
        check_organization(source, target, mover)
    with one_mover((source, target), mover.id, org_key):
        if not _has_moved(source, target, mover):
            _begin(source, target, mover, tell)
            _bring(source, target, mover, tell, limits or Limits())
        lives_there = arrive(source, target, mover)
        if lives_there:
            note_cell(mover.id)
        clear(source, mover.id, tell)
        stop_watching(source, mover.id)
        with source.transaction() as connection:
            ledger.note_finished(connection, mover.id)
    return lives_there


def cancel(source: Place, target: Place, org_key: str, *, tell: Tell) -> None:
    """Take back the move of an organisation that still lives in the source.

    Raises a 404 for an unknown organisation, and a 409 if it has moved or none is under way.
    """
    mover = _find(source, org_key)
    with one_mover((source, target), mover.id, org_key):
        move = _state(source, mover)
        if move is None or move.cell != target.name:
            raise conflict(
                "no_move",
                f"Organisation {org_key!r} is not being moved from cell {source.name} to cell"
                f" {target.name}. Allowed is to cancel a move that was begun.",
            )
        if move.state == MOVED:
            raise conflict(
                "already_there",
                f"Organisation {org_key!r} lives in cell {target.name} already. Allowed is to move"
                f" it back: halo org move {org_key} --to {source.name}.",
            )
        _take_back(source, target, mover, tell)


def _find(source: Place, org_key: str) -> Mover:
    with source.transaction() as connection:
        mover = ledger.find_mover(connection, org_key)
    if mover is None:
        raise not_found("organisation", org_key)
    return mover


def _state(place: Place, mover: Mover) -> Move | None:
    with place.transaction() as connection:
        return ledger.move_of(connection, mover.id)


def _has_moved(source: Place, target: Place, mover: Mover) -> bool:
    """Return whether only the end of the move is left.

    Raises a 409 if nothing is left, or if the organisation moves or moved elsewhere.
    """
    move = _state(source, mover)
    if move is None or move.state == ARRIVING:
        return False
    if move.cell != target.name:
        where = "lives in" if move.state == MOVED else "is moved to"
        raise conflict(
            "move_under_way",
            f"Organisation {mover.key!r} {where} cell {move.cell}. Allowed is to move it from"
            " there, or to take that move back first.",
        )
    if move.finished_at is not None:
        raise already_there(mover.key, target.name)
    return move.state == MOVED


def _begin(source: Place, target: Place, mover: Mover, tell: Tell) -> None:
    move = _state(source, mover)
    if move is not None and move.state == CANCELLED:
        _take_back(source, target, mover, tell)
        move = None
    if move is None:
        with source.transaction() as connection:
            ledger.begin(connection, mover, target.name, LEAVING)
    arriving = _state(target, mover)
    if arriving is None or arriving.state != ARRIVING:
        with target.transaction() as connection:
            ledger.begin(connection, mover, source.name, ARRIVING)


def _bring(source: Place, target: Place, mover: Mover, tell: Tell, limits: Limits) -> None:
    watch(source, mover.id)
    with source.transaction() as here, target.transaction() as there:
        raise_arrivals(there, last_arrival(here))
    copy(source, target, mover.id, tell)
    try:
        switch(source, target, mover, limits, tell)
    except BaseException:
        # After the switch there is nobody to let go: it refuses the write.
        with suppress(DBAPIError, MovedAway):
            let_mail_go(source, mover.id, target.name)
        raise


def _take_back(source: Place, target: Place, mover: Mover, tell: Tell) -> None:
    with source.transaction() as connection:
        ledger.note_cancelled(connection, mover.id)
    let_mail_go(source, mover.id, target.name)
    clear(target, mover.id, tell)
    with target.transaction() as connection:
        ledger.forget(connection, mover.id)
    stop_watching(source, mover.id)
    with source.transaction() as connection:
        forget_notes(connection, mover.id)
        ledger.forget(connection, mover.id)

"""Forget notes, so many in a transaction: all that are free before a pass over everybody looks at
anybody, and those that a pass has taken at its end.

There may be as many notes as contacts, and a statement about all of them may take too long.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Delete,
    Select,
    Update,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union,
    update,
)

from halo_engine.domain.series.signals import Signal
from halo_engine.pipeline.passes.cursors import FORGETS, NOTED, ZONE
from halo_engine.pipeline.passes.notes import are_free, are_taken, meant_by
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, organizations, pass_notes
from halo_engine.work import Work

#: How many notes one transaction forgets.
AT_ONCE: Final = 100_000


@statement("forget_full_pass")
def _forget_full_pass(work: Work) -> Update:
    table = organizations
    return update(table).where(table.c.id == work.org_id).values(passed_fully_at=None)


def forget_full_pass(work: Work) -> None:
    """Forget when the last pass over everybody began: the next has to be one again."""
    work.connection.execute(_forget_full_pass(work))


def forget_noted(work: Work, signal: Signal, cursor: Mapping[str, Any]) -> dict[str, Any]:
    """Forget what is noted for anybody, for a pass over everybody that has yet to look at them;
    return its cursor, which has FORGETS until all is forgotten.

    Whoever is meant and came after the signal did is in no page of everybody, and noted for the
    pass.
    """
    until: int = cursor.get(FORGETS) or work.connection.scalar(_last_note(work)) or 0
    limit = _limit(signal)
    gone = work.connection.execute(_forgetting_noted(work, signal, until, limit)).one()
    kept = {name: value for name, value in cursor.items() if name != FORGETS}
    kept[NOTED] = bool(kept.get(NOTED) or gone.noted)
    return kept | ({FORGETS: until} if gone.forgotten == limit else {})


def _limit(signal: Signal) -> int:
    return max(AT_ONCE >> signal.attempts, 1)


@statement("read_last_pass_note")
def _last_note(work: Work) -> Select[int]:
    # What comes later may stay for the next pass, and what this pass notes itself has to stay.
    return select(func.max(pass_notes.c.id)).where(pass_notes.c.org_id == work.org_id)


@statement("forget_pass_notes", until=0, limit=AT_ONCE)
def _forgetting_noted(work: Work, signal: Signal, until: int, limit: int) -> Select[Any]:
    note, contact = pass_notes, end_users
    is_open = or_(and_(*are_taken(work, signal)), are_free(work))
    some = (
        select(note.c.id)
        # Said once more, so that the index in order of arrival is read.
        .where(note.c.org_id == work.org_id, note.c.id <= until, is_open)
        .order_by(note.c.id)
        .limit(limit)
    )
    gone = (
        delete(note)
        .where(note.c.org_id == work.org_id, note.c.id.in_(some))
        .returning(note.c.end_user_id, note.c.company_id, note.c.namesakes)
        .cte("gone")
    )
    themselves = select(gone.c.end_user_id).where(gone.c.end_user_id.is_not(None))
    meant = union(themselves, *meant_by(work, gone, (), ())).subquery("meant")
    is_it = and_(contact.c.org_id == work.org_id, contact.c.id == meant.c.end_user_id)
    rows = (
        select(literal(work.org_id), meant.c.end_user_id, literal(signal.id, BigInteger()))
        .select_from(meant.join(contact, is_it))
        .where(contact.c.created_at > signal.arrived_at)
    )
    noting = insert(note).from_select(
        ["org_id", "end_user_id", "taken_by"], rows, include_defaults=False
    )
    noted = noting.returning(note.c.end_user_id).cte("noted")
    return select(
        select(func.count()).select_from(gone).scalar_subquery().label("forgotten"),
        select(func.count()).select_from(noted).scalar_subquery().label("noted"),
    )


def forget_taken(work: Work, signal: Signal) -> bool:
    """Forget what was noted for a pass, at its end; return whether all is forgotten."""
    if ZONE not in (signal.cursor or {}):
        return True
    limit = _limit(signal)
    return work.connection.execute(_forgetting_taken(work, signal, limit)).rowcount < limit


@statement("forget_taken_notes", limit=AT_ONCE)
def _forgetting_taken(work: Work, signal: Signal, limit: int) -> Delete:
    some = select(pass_notes.c.id).where(*are_taken(work, signal)).limit(limit)
    return delete(pass_notes).where(pass_notes.c.org_id == work.org_id, pass_notes.c.id.in_(some))

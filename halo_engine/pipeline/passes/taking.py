"""Take what is noted for a pass, in the transaction of its first page.

A note that a pass takes is one that it sees, with all that its transaction changed. What is
committed later stays for the next pass; a pass that is aborted has taken nothing; notes of a pass
that is gone are taken again.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Select,
    Update,
    func,
    insert,
    literal,
    select,
    union,
    union_all,
    update,
)

from halo_engine.domain.entering.passes import looks_at_everybody
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import PART_OF, Signal, SignalKind
from halo_engine.pipeline.passes.cursors import (
    AT_NOTED,
    NARROW,
    NOTED,
    SERIES,
    ZONE,
    is_narrow,
)
from halo_engine.pipeline.passes.forgetting import forget_full_pass, forget_noted
from halo_engine.pipeline.passes.notes import are_free, are_taken, meant_by
from halo_engine.pipeline.passes.passing_time import over_delays, turned
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    pass_notes,
    signals,
)
from halo_engine.work import Work

#: For more contacts than these a pass over everybody is as quick.
MOST: Final = 100_000
#: After so many tries that took too long a narrow pass looks around no more.
TRIES: Final = 2


@dataclass
class _Found:
    """What a narrow pass has to look at beside the contacts that are noted."""

    contacts: set[UUID] = field(default_factory=set)
    companies: set[UUID] = field(default_factory=set)
    series: set[UUID] = field(default_factory=set)


def take_notes(work: Work, signal: Signal, running: RunningSeries) -> dict[str, Any]:
    """Take the notes for a pass that begins; return its cursor.

    A narrow pass becomes one over everybody where that is quicker, where nobody knows since when
    time passed, or where looking around took too long before.
    """
    cursor = {**(signal.cursor or {}), ZONE: work.org.timezone}
    found = None
    if is_narrow(signal) and signal.attempts < TRIES:
        # Before anything is read: what is noted later is neither looked at nor forgotten.
        work.connection.execute(_taking(work, signal))
        found = _look_around(work, signal, running)
    if found is None:
        if cursor.pop(NARROW, None):
            # What is noted goes now: if this pass is lost, the next has to be one over everybody.
            forget_full_pass(work)
        return forget_noted(work, signal, cursor)
    cursor[SERIES] = [str(each.id) for each in running.series if each.id in found.series]
    is_noted = bool(
        work.connection.scalar(_noting_meant(work, signal, found.contacts, found.companies))
    )
    if is_noted and not cursor[SERIES]:
        cursor[AT_NOTED] = True
    return cursor | {NOTED: is_noted}


def _look_around(work: Work, signal: Signal, running: RunningSeries) -> _Found | None:
    """Return what a narrow pass looks at; None if everybody is to be looked at."""
    noted = work.connection.execute(_read_notes(work, signal)).one()
    found = _Found(series={each.id for each in running.series if looks_at_everybody(each)})
    found.series.update(each for each in noted.series or () if each is not None)
    if noted.since is None or noted.contacts > MOST or not _add_parked(work, found):
        return None
    rest = [each for each in running.series if each.id not in found.series]
    for contacts in (
        turned(work, rest, noted.since, MOST),
        over_delays(work, rest, noted.since, MOST),
    ):
        if len(contacts) > MOST:
            return None
        found.contacts.update(contacts)
    return found


@statement("take_pass_notes")
def _taking(work: Work, signal: Signal) -> Update:
    return update(pass_notes).where(are_free(work)).values(taken_by=signal.id)


@statement("read_pass_notes")
def _read_notes(work: Work, signal: Signal) -> Select[int, Any, Any]:
    note = pass_notes
    return select(
        func.count(note.c.end_user_id.distinct()).label("contacts"),
        func.array_agg(note.c.automation_id.distinct()).label("series"),
        func.min(note.c.since).label("since"),
    ).where(*are_taken(work, signal))


def _add_parked(work: Work, found: _Found) -> bool:
    """Add whom signals are about that were set aside; return false if there are too many, or one is
    about everybody.
    """
    parked = work.connection.execute(_read_parked(work)).all()
    for row in parked:
        contact_id = row.end_user_id or (row.part_of and UUID(row.part_of))
        if contact_id:
            found.contacts.add(contact_id)
        elif row.kind == SignalKind.COMPANY_CHANGED:
            found.companies.add(row.company_id)
        elif row.automation_id:
            found.series.add(row.automation_id)
        else:
            return False
    return len(parked) <= MOST


@statement("read_parked_for_pass")
def _read_parked(work: Work) -> Select[Any]:
    part_of = signals.c.cursor[PART_OF].astext.label("part_of")
    columns = (signals.c.kind, signals.c.end_user_id, signals.c.company_id, signals.c.automation_id)
    return (
        select(*columns, part_of)
        .where(signals.c.org_id == work.org_id, signals.c.parked_at.is_not(None))
        .limit(MOST + 1)
    )


@statement("note_meant_by_pass_notes", contact_ids=(), company_ids=())
def _noting_meant(
    work: Work, signal: Signal, contact_ids: Collection[UUID], company_ids: Collection[UUID]
) -> Select[Any]:
    """Note whom the taken notes mean, and further contacts and companies; select how many contacts
    are noted.
    """
    note = pass_notes
    columns = (note.c.end_user_id, note.c.company_id, note.c.namesakes)
    taken = select(*columns).where(*are_taken(work, signal)).cte("taken")
    others = union(*meant_by(work, taken, contact_ids, company_ids)).subquery("meant")
    rows = select(literal(work.org_id), others.c.end_user_id, literal(signal.id, BigInteger()))
    names = ["org_id", "end_user_id", "taken_by"]
    noting = insert(note).from_select(names, rows, include_defaults=False)
    noted = noting.returning(note.c.end_user_id).cte("noted")
    themselves = select(taken.c.end_user_id).where(taken.c.end_user_id.is_not(None))
    all_meant = union_all(select(noted.c.end_user_id), themselves).subquery("all_meant")
    return select(func.count()).select_from(all_meant)

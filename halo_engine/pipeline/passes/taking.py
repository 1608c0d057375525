"""Take what is noted for a pass, in the transaction of its first page.

A note that a pass takes is one that it sees, with all that its transaction changed. What is
committed later stays for the next pass; a pass that is aborted has taken nothing; notes of a pass
that is gone are taken again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Delete,
    Select,
    Update,
    Uuid,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
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
from halo_engine.pipeline.passes.passing_time import over_delays, turned
from halo_engine.series.noting import meant_addresses
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    end_users,
    organizations,
    pass_notes,
    signals,
)
from halo_engine.work import Work

#: For more contacts than these a pass over everybody is as quick.
MOST: Final = 100_000


@dataclass
class _Found:
    """What a narrow pass has to look at beside the contacts that are noted."""

    contacts: set[UUID] = field(default_factory=set)
    companies: set[UUID] = field(default_factory=set)
    series: set[UUID] = field(default_factory=set)


def take_notes(work: Work, signal: Signal, running: RunningSeries) -> dict[str, Any]:
    """Take the notes for a pass that begins; return its cursor.

    A narrow pass becomes one over everybody where that is quicker, or where nobody knows since when
    time passed.
    """
    cursor = {**(signal.cursor or {}), ZONE: work.org.timezone}
    found = None
    if is_narrow(signal):
        # Before anything is read: what is noted later is neither looked at nor forgotten.
        work.connection.execute(_taking(work, signal))
        found = _look_around(work, signal, running)
    if found is None:
        if cursor.pop(NARROW, None):
            # What is noted goes now: if this pass is lost, the next has to be one over everybody.
            work.connection.execute(_forget_full_pass(work))
        # Whoever came after the signal did is in no page of it.
        noting = _noting_meant(work, signal, (), (), signal.arrived_at)
    else:
        cursor[SERIES] = [str(each.id) for each in running.series if each.id in found.series]
        noting = _noting_meant(work, signal, found.contacts, found.companies, None)
    is_noted = bool(work.connection.scalar(noting))
    if is_noted and cursor.get(SERIES) == []:
        cursor[AT_NOTED] = True
    return cursor | {NOTED: is_noted}


@statement("forget_full_pass")
def _forget_full_pass(work: Work) -> Update:
    table = organizations
    return update(table).where(table.c.id == work.org_id).values(passed_fully_at=None)


def forget_taken(work: Work, signal: Signal) -> None:
    """Forget what was noted for a pass, at its end."""
    if ZONE in (signal.cursor or {}):
        work.connection.execute(_forgetting(work, signal))


@statement("forget_taken_notes")
def _forgetting(work: Work, signal: Signal) -> Delete:
    return delete(pass_notes).where(*_are_taken(work, signal))


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


def _are_free(work: Work) -> ColumnElement[bool]:
    """Return whether a note is free to be taken: no pass that is still there has taken it."""
    is_there = exists().where(
        signals.c.org_id == work.org_id, signals.c.id == pass_notes.c.taken_by
    )
    return and_(pass_notes.c.org_id == work.org_id, or_(pass_notes.c.taken_by.is_(None), ~is_there))


def _are_taken(work: Work, signal: Signal) -> tuple[ColumnElement[bool], ...]:
    return pass_notes.c.org_id == work.org_id, pass_notes.c.taken_by == signal.id


@statement("take_pass_notes")
def _taking(work: Work, signal: Signal) -> Update:
    return update(pass_notes).where(_are_free(work)).values(taken_by=signal.id)


@statement("read_pass_notes")
def _read_notes(work: Work, signal: Signal) -> Select[int, Any, Any]:
    note = pass_notes
    return select(
        func.count(note.c.end_user_id.distinct()).label("contacts"),
        func.array_agg(note.c.automation_id.distinct()).label("series"),
        func.min(note.c.since).label("since"),
    ).where(*_are_taken(work, signal))


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


@statement("note_meant_by_pass_notes", contact_ids=(), company_ids=(), since=None)
def _noting_meant(
    work: Work,
    signal: Signal,
    contact_ids: Collection[UUID],
    company_ids: Collection[UUID],
    since: datetime | None,
) -> Select[Any]:
    """Note whom the taken notes mean, and further contacts and companies; select how many contacts
    are noted.

    ``since``: all notes go, and only contacts that were created later are noted for the pass.
    """
    note, contact = pass_notes, end_users
    columns = (note.c.end_user_id, note.c.company_id, note.c.namesakes)
    if since is None:
        taken = select(*columns).where(*_are_taken(work, signal)).cte("taken")
    else:
        gone = delete(note).where(or_(and_(*_are_taken(work, signal)), _are_free(work)))
        taken = gone.returning(*columns).cte("taken")
    themselves = select(taken.c.end_user_id).where(taken.c.end_user_id.is_not(None))
    others = _meant(work, taken, contact_ids, company_ids)
    meant = union(*others, *([] if since is None else [themselves])).subquery("meant")
    rows = select(literal(work.org_id), meant.c.end_user_id, literal(signal.id, BigInteger()))
    if since is not None:
        is_it = and_(contact.c.org_id == work.org_id, contact.c.id == meant.c.end_user_id)
        rows = rows.select_from(meant.join(contact, is_it)).where(contact.c.created_at > since)
    names = ["org_id", "end_user_id", "taken_by"]
    noting = insert(note).from_select(names, rows, include_defaults=False)
    noted = noting.returning(note.c.end_user_id).cte("noted")
    all_meant = [select(noted.c.end_user_id), *([themselves] if since is None else [])]
    return select(func.count()).select_from(union_all(*all_meant).subquery("all_meant"))


def _meant(
    work: Work, taken: CTE, contact_ids: Collection[UUID], company_ids: Collection[UUID]
) -> Iterator[Select[Any]]:
    """Yield the contacts that are meant beside those that are noted themselves: given ones, those
    of companies, and of addresses.
    """
    contact = end_users
    given = func.unnest(literal([*contact_ids], ARRAY(Uuid()))).label("end_user_id")
    companies = union(
        select(taken.c.company_id).where(taken.c.company_id.is_not(None)),
        select(func.unnest(literal([*company_ids], ARRAY(Uuid())))),
    )
    addresses = meant_addresses(work.org_id, taken)
    of_org = select(contact.c.id.label("end_user_id")).where(contact.c.org_id == work.org_id)
    yield select(given)
    yield of_org.where(contact.c.company_id.in_(companies))
    yield of_org.where(contact.c.address.in_(addresses))

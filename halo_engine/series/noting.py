"""Notes for the next pass: who may newly enter a ``segment_match`` series, though no signal says so
(contract §4).

Whoever changes something writes them in the same transaction, so a pass sees both or none. What
each is for: ``docs/decisions/0074-narrow-passes.md``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Insert,
    Uuid,
    all_,
    and_,
    any_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    union,
)

from halo_engine.domain.reasons import EntryTrigger
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automations, end_users, pass_notes
from halo_engine.work import Work

_RUNS = automation_enrollments
#: What ``freed_by`` reads of a run that ended.
FREED = (
    _RUNS.c.company_seat,
    _RUNS.c.holds_address,
    or_(_RUNS.c.left_audience, _RUNS.c.outside_by_definition).label("was_outside"),
)


def note_contacts(work: Work, contacts: Mapping[UUID, bool]) -> None:
    """Note contacts; with each, whether all contacts of its address are meant."""
    if contacts:
        work.connection.execute(_noting_contacts(work, contacts))


@statement("note_contacts_for_pass", contacts={})
def _noting_contacts(work: Work, contacts: Mapping[UUID, bool]) -> Insert:
    noted = rows_of(
        "noted", {"id": (Uuid(), [*contacts]), "all": (Boolean(), [*contacts.values()])}
    )
    rows = select(literal(work.org_id), noted.c.id, noted.c.all)
    return _inserting(["end_user_id", "namesakes"], rows)


def note_companies(work: Work, companies: Collection[UUID]) -> None:
    """Note all contacts of companies."""
    if companies:
        work.connection.execute(_noting_rows(work, "company_id", companies))


def note_series(work: Work, *series_ids: UUID) -> None:
    """Note everybody, for these series."""
    if series_ids:
        work.connection.execute(_noting_rows(work, "automation_id", series_ids))


def note_series_once(work: Work, series_ids: Collection[UUID]) -> None:
    """Note everybody, for these series, but for those that are noted and that no pass has taken.
    The caller holds the lock on signals, as passes do.
    """
    work.connection.execute(_noting_series_once(work, series_ids))


@statement("note_series_for_pass_once", series_ids=())
def _noting_series_once(work: Work, series_ids: Collection[UUID]) -> Insert:
    note = pass_notes
    series_id = func.unnest(literal([*series_ids], ARRAY(Uuid()))).column_valued("series_id")
    is_noted = exists().where(
        note.c.org_id == work.org_id,
        note.c.taken_by.is_(None),
        note.c.end_user_id.is_(None),
        note.c.automation_id == series_id,
    )
    return _inserting(["automation_id"], select(literal(work.org_id), series_id).where(~is_noted))


@statement("note_for_pass", name="automation_id")
def _noting_rows(work: Work, name: str, series_ids: Collection[UUID]) -> Insert:
    rows = [{"org_id": work.org_id, name: each} for each in series_ids]
    return insert(pass_notes).values(rows)


def note_time(work: Work, since: datetime) -> None:
    """Note that time passed since the pass that began at this instant."""
    work.connection.execute(_noting_time(work, since))


@statement("note_time_for_pass")
def _noting_time(work: Work, since: datetime) -> Insert:
    return insert(pass_notes).values(org_id=work.org_id, since=since)


def note_happened(org_id: ColumnElement[UUID], contacts: Any, name: str) -> CTE:
    """Return the CTE that notes the contacts selected by ``contacts`` (one column, ids).

    Whoever has a note that no pass has taken needs no other: a million old events of one contact
    leave one. The lock makes a pass wait that is about to take it; a note that a pass holds is
    skipped, and does not count.
    """
    found = contacts.distinct().subquery("of_" + name)
    (whom,) = found.c
    has_one = (
        select(pass_notes.c.end_user_id)
        .where(
            pass_notes.c.org_id == org_id,
            pass_notes.c.taken_by.is_(None),
            pass_notes.c.end_user_id.in_(contacts),
        )
        .with_for_update(read=True, skip_locked=True)
        .cte(name + "_already")
    )
    rows = select(org_id, whom).where(whom.not_in(select(has_one.c.end_user_id)))
    return _inserting(["end_user_id"], rows).cte(name)


def note_namesakes(org_id: ColumnElement[UUID], addresses: Any) -> CTE:
    """Return the CTE that notes all contacts of the selected ``addresses`` (one column)."""
    rows = select(org_id, end_users.c.id, true()).where(
        end_users.c.org_id == org_id, end_users.c.address.in_(addresses)
    )
    return _inserting(["end_user_id", "namesakes"], rows).cte("noted_namesakes")


def freed_by(org_id: UUID | ColumnElement[UUID], ended: CTE) -> CTE:
    """Return the CTE that notes who may enter now that runs ``ended``: their contacts, the
    contacts of the company whose seat is free, and of the address (guards 5, 10 and 11).

    ``ended`` has ``end_user_id``, ``automation_id`` and ``FREED``.
    """
    of = automations
    itself = or_(ended.c.holds_address, ended.c.was_outside)
    matches_anew = of.c.entry_trigger == EntryTrigger.SEGMENT_MATCH.value
    is_its = and_(of.c.org_id == org_id, of.c.id == ended.c.automation_id, matches_anew)
    whose = case((itself, ended.c.end_user_id))
    rows = (
        select(cast(org_id, Uuid), whose, ended.c.company_seat, ended.c.holds_address)
        .select_from(ended.join(of, is_its))
        .where(or_(itself, ended.c.company_seat.is_not(None)))
    )
    return _inserting(["end_user_id", "company_id", "namesakes"], rows).cte("freed")


def note_removed(work: Work, contacts: Collection[UUID]) -> None:
    """Note who may enter when the runs of these contacts are removed: the contacts of a company
    whose seat they have; of a series where they hold an address, everybody.
    """
    work.connection.execute(_noting_removed(work, contacts))


@statement("note_removed_for_pass")
def _noting_removed(work: Work, contact_ids: Collection[UUID]) -> Insert:
    series_id = case((_RUNS.c.holds_address, _RUNS.c.automation_id), else_=cast(null(), Uuid()))
    holds_place = or_(_RUNS.c.company_seat.is_not(None), _RUNS.c.holds_address)
    rows = select(literal(work.org_id), _RUNS.c.company_seat, series_id).where(
        _RUNS.c.org_id == work.org_id,
        _RUNS.c.end_user_id == any_(literal(list(contact_ids), ARRAY(Uuid()))),
        _RUNS.c.ended_at.is_(None),
        holds_place,
    )
    return _inserting(["company_id", "automation_id"], rows)


def note_others(work: Work, contacts: Collection[UUID]) -> None:
    """Note, each by itself, the others whom notes of these contacts mean: those of a company, and
    of an address, which can no longer be found when the contacts are gone.
    """
    work.connection.execute(_noting_others(work, contacts))


@statement("note_others_for_pass", contact_ids=[])
def _noting_others(work: Work, contact_ids: Collection[UUID]) -> Insert:
    note, other = pass_notes, end_users.alias("other")
    gone = literal(list(contact_ids), ARRAY(Uuid()))
    theirs = (
        select(note.c.end_user_id, note.c.company_id, note.c.namesakes)
        .where(note.c.org_id == work.org_id, note.c.end_user_id == any_(gone))
        .cte("theirs")
    )
    org_id, nothing = literal(work.org_id), cast(null(), Uuid())
    companies = select(org_id, nothing, theirs.c.company_id).where(theirs.c.company_id.is_not(None))
    contacts = select(org_id, other.c.id, nothing).where(
        other.c.org_id == work.org_id,
        other.c.address.in_(meant_addresses(work.org_id, theirs)),
        other.c.id != all_(gone),
    )
    return _inserting(["end_user_id", "company_id"], union(companies, contacts))


def meant_addresses(org_id: UUID, notes: CTE) -> CompoundSelect[Any]:
    """Return the addresses whose contacts ``notes`` (``end_user_id``, ``namesakes``) mean: that of
    each contact, and those that its runs hold (guard 11).
    """
    holder = end_users.alias("holder")
    return union(
        select(holder.c.address)
        .where(holder.c.org_id == org_id, holder.c.id == notes.c.end_user_id)
        .where(notes.c.namesakes, holder.c.address.is_not(None)),
        select(_RUNS.c.address)
        .where(_RUNS.c.org_id == org_id, _RUNS.c.end_user_id == notes.c.end_user_id)
        .where(notes.c.namesakes, _RUNS.c.holds_address),
    )


def _inserting(names: Sequence[str], rows: Any) -> Insert:
    return insert(pass_notes).from_select(["org_id", *names], rows, include_defaults=False)

"""Erase contacts, with everything stored about them (contract §2, §3)."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Delete,
    Executable,
    Select,
    Table,
    Uuid,
    any_,
    delete,
    exists,
    func,
    literal,
    select,
)

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.consent.address_hashes import Suppression, keep_hashes
from halo_engine.contacts.finding import Noted, find_contacts
from halo_engine.journey.claim import hold_runs
from halo_engine.series.catalogue import load_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still
from halo_engine.series.noting import note_others, note_removed
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    end_users,
    mail_readers,
    pass_notes,
    signals,
    suppressions,
    waiting_calls,
)
from halo_engine.work import Work


class EraseContactCall(Call):
    """A contact, by ``user_id``, or by email where it has none."""

    contact: Identifier


def erase_contact(work: Work, call: EraseContactCall) -> Noted:
    """Erase a contact and everything about it; it leaves its series without a trace.

    If its address is suppressed and nobody else has it, a keyed hash is kept: a contact that comes
    with that address again is suppressed from the start. Raises 404 for an unknown contact.
    """
    work = hold_series_still(work)
    [contact_id] = find_contacts(work, [call.contact])
    erase(work, [contact_id])
    return Noted(id=contact_id)


def erase(work: Work, contacts: Collection[UUID]) -> None:
    """Erase contacts; the caller holds the series still."""
    ids = sorted(set(contacts))
    runs = hold_runs(work.connection, work.org_id, ids)
    left = load_series(
        work.connection,
        work.org_id,
        work.org.hours,
        ids={run.series_id for run in runs if run.is_active},
    )
    note_removed(work, ids)
    note_others(work, ids)
    keep_hashes(work, _take_suppressions(work, ids))
    # Calls that wait are by the user's own ID: they may be older than the contact.
    work.connection.execute(_erasing_calls(work, ids))
    # Signals have no foreign key. They go last: whoever handles one has the contact locked.
    told = (signals, signals.c.end_user_id), (pass_notes, pass_notes.c.end_user_id)
    for table, whose in ((end_users, end_users.c.id), *told):
        work.connection.execute(_erasing(work, table, whose, ids))
    complete_finished(work, left)


def hold_to_erase(work: Work, contacts: Collection[UUID]) -> None:
    """Lock contacts in the order of their ids, as whoever writes several does; their runs first,
    as whoever handles signals does.
    """
    hold_runs(work.connection, work.org_id, contacts)
    work.connection.execute(_hold_contacts(work, contacts))


def is_one_of(column: ColumnElement[UUID], contact_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return whether a column names one of the contacts."""
    return column == any_(literal(list(contact_ids), ARRAY(Uuid())))


@statement("hold_contacts_to_erase")
def _hold_contacts(work: Work, contact_ids: Collection[UUID]) -> Select[Any]:
    return (
        select(end_users.c.id)
        .where(end_users.c.org_id == work.org_id, is_one_of(end_users.c.id, contact_ids))
        .order_by(end_users.c.id)
        .with_for_update()
    )


@statement("erase_contacts", table=end_users, whose=end_users.c.id)
def _erasing(
    work: Work, table: Table, whose: Column[UUID], contact_ids: Collection[UUID]
) -> Delete:
    return delete(table).where(table.c.org_id == work.org_id, is_one_of(whose, contact_ids))


@statement("erase_waiting_calls")
def _erasing_calls(work: Work, contact_ids: Collection[UUID]) -> Delete:
    contact, table = end_users, waiting_calls
    user_ids = select(contact.c.external_id).where(
        contact.c.org_id == work.org_id, is_one_of(contact.c.id, contact_ids)
    )
    return delete(table).where(table.c.org_id == work.org_id, table.c.user_id.in_(user_ids))


def _take_suppressions(work: Work, contacts: Collection[UUID]) -> list[Suppression]:
    """Delete and return the suppressions of the contacts' addresses that are nobody else's."""
    return [
        Suppression(*row) for row in work.connection.execute(_taking_suppressions(work, contacts))
    ]


@statement("take_suppressions")
def _taking_suppressions(work: Work, contact_ids: Collection[UUID]) -> Executable:
    table = suppressions
    return (
        delete(table)
        .where(*of_nobody_else(work, contact_ids))
        .returning(*[table.c[name] for name in Suppression._fields])
    )


def of_nobody_else(work: Work, contact_ids: Collection[UUID]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for suppressions of addresses that only these contacts have.

    Those are the address of each, and all addresses that it was sent mail at.
    """
    contact, mails, table = end_users, mail_readers, suppressions
    addresses = (
        select(contact.c.address)
        .where(contact.c.org_id == work.org_id, is_one_of(contact.c.id, contact_ids))
        .union(
            select(func.lower(mails.c.to_address)).where(
                mails.c.org_id == work.org_id, is_one_of(mails.c.end_user_id, contact_ids)
            )
        )
    )
    other = end_users.alias("other")
    is_anothers = exists().where(
        other.c.org_id == work.org_id,
        other.c.address == table.c.address,
        ~is_one_of(other.c.id, contact_ids),
    )
    return table.c.org_id == work.org_id, table.c.address.in_(addresses), ~is_anothers

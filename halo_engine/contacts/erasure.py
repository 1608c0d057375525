"""Erasing a contact, or a whole organisation: what is stored about it is gone (contract §2, §3)."""

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Table,
    any_,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from halo_engine.contacts.address_hashes import Suppression, keep_hashes
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import Noted, find_contacts
from halo_engine.database import PLANNED_WITHOUT_VALUES
from halo_engine.domain.mail_tokens import KEY_BYTES as MAIL_KEY_BYTES
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.journey.claim import hold_runs
from halo_engine.series.catalogue import load_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import hold_series_still, lock_series_for_change
from halo_engine.tables import (
    automations,
    end_users,
    messages,
    metadata,
    organizations,
    signals,
    suppressions,
)
from halo_engine.work import Transact, Work

#: How many rows one transaction deletes when an organisation is erased.
PAGE: Final = 20_000

#: Every table of organisations' rows, those that refer to others first.
_TABLES: Final = [table for table in reversed(metadata.sorted_tables) if "org_id" in table.c]


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
    runs = hold_runs(work.connection, work.org_id, [contact_id])
    left = load_series(
        work.connection,
        work.org_id,
        work.org.zone,
        ids={run.series_id for run in runs if run.is_active},
    )
    keep_hashes(work, _take_suppressions(work, contact_id))
    # Signals have no foreign key. They go last: whoever handles one has the contact locked.
    for table, whose in ((end_users, end_users.c.id), (signals, signals.c.end_user_id)):
        work.connection.execute(
            delete(table).where(table.c.org_id == work.org_id, whose == contact_id)
        )
    complete_finished(work, left)
    return Noted(id=contact_id)


def _take_suppressions(work: Work, contact_id: UUID) -> list[Suppression]:
    """Delete and return the suppressions of the contact's addresses that are nobody else's.

    Those are its address, and all addresses that it was sent mail at.
    """
    contact, mails, table = end_users, messages, suppressions
    addresses = (
        select(contact.c.address)
        .where(contact.c.org_id == work.org_id, contact.c.id == contact_id)
        .union(
            select(func.lower(mails.c.to_address)).where(
                mails.c.org_id == work.org_id, mails.c.end_user_id == contact_id
            )
        )
    )
    other = end_users.alias("other")
    is_anothers = exists().where(
        other.c.org_id == work.org_id,
        other.c.address == table.c.address,
        other.c.id != contact_id,
    )
    taken = (
        delete(table)
        .where(table.c.org_id == work.org_id, table.c.address.in_(addresses), ~is_anothers)
        .returning(*[table.c[name] for name in Suppression._fields])
    )
    return [Suppression(*row) for row in work.connection.execute(taken)]


def erase_organization(transact: Transact, page: int = PAGE) -> Iterator[int]:
    """Erase an organisation with everything in it, suppressions too; yield how many rows go.

    Each page of rows is a transaction. The first one ends the series and revokes the widget key and
    the tokens of sent mails, so that no call comes in any more. An erasure that was interrupted
    goes on when it is called again; when the iterator ends, the organisation is gone.
    """
    transact(_close)
    for table in _TABLES:
        while rows := transact(partial(_erase_page, table=table, most=page)):
            yield rows
    yield transact(_erase_rest)


def _close(work: Work) -> None:
    lock_series_for_change(work)
    work.connection.execute(
        update(automations)
        .where(automations.c.org_id == work.org_id, automations.c.status != SeriesStatus.DRAFT)
        .values(status=SeriesStatus.COMPLETED)
    )
    work.connection.execute(
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(
            widget_key=f"erased_{secrets.token_urlsafe(18)}",
            identity_secret=None,
            mail_key=secrets.token_bytes(MAIL_KEY_BYTES),
        )
    )


def _erase_page(work: Work, table: Table, most: int) -> int:
    """Delete some rows of a table; return how many there were."""
    row: ColumnElement[object] = literal_column("ctid")
    rows = select(row).select_from(table).where(table.c.org_id == work.org_id).limit(most)
    these = delete(table).where(row == any_(func.array(rows.scalar_subquery())))
    # For the queries behind foreign keys: they look for what refers to each row.
    work.connection.execute(select(PLANNED_WITHOUT_VALUES))
    return work.connection.execute(these).rowcount


def _erase_rest(work: Work) -> int:
    """Delete the organisation, and rows of calls that were under way when it was closed."""
    held = select(organizations.c.id).where(organizations.c.id == work.org_id)
    # A foreign key locks this row for whoever writes one of the organisation's: none come later.
    work.connection.execute(held.with_for_update())
    late = [delete(table).where(table.c.org_id == work.org_id) for table in _TABLES]
    itself = delete(organizations).where(organizations.c.id == work.org_id)
    return sum(work.connection.execute(each).rowcount for each in (*late, itself))

"""Erase many contacts at once, and say in numbers what that comes to (contract §2, §18)."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Select, func, select

from halo_engine.contacts.batches import LARGEST_BATCH
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.consent.erasure import erase, hold_to_erase, is_one_of, of_nobody_else
from halo_engine.contacts.finding import find_known
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import conflict
from halo_engine.series.locks import hold_series_still
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automations,
    end_users,
    events,
    messages,
    suppressions,
)
from halo_engine.work import Work


class EraseContactsCall(Call):
    """Contacts, each by ``user_id``, or by email where it has none.

    With ``dry_run`` nothing is erased: the answer says what would be. More contacts than
    ``expect_at_most`` are refused with a 409.
    """

    contacts: Annotated[list[Identifier], Field(max_length=LARGEST_BATCH)]
    dry_run: bool = False
    expect_at_most: Annotated[int | None, Field(ge=0)] = None


class ErasureNumbers(Answer):
    """What goes: ``contacts``, with their runs, mails and events. ``active`` says how many of them
    are in each series. Of ``suppressed`` addresses a keyed hash stays.
    """

    contacts: int
    active: Mapping[str, int]
    runs: int
    mails: int
    events: int
    suppressed: int


class ErasedContacts(ErasureNumbers):
    """The same of a batch; ``unknown`` are the indexes of identifiers that name nobody."""

    unknown: tuple[int, ...]


def erase_contacts(work: Work, call: EraseContactsCall) -> ErasedContacts:
    """Erase contacts and everything about them; unknown ones are told by their index.

    Raises 409 for more contacts than are expected; nothing is erased then.
    """
    work = hold_series_still(work)
    found = find_known(work, call.contacts)
    ids = sorted(set(found.values()))
    if not call.dry_run:
        hold_to_erase(work, ids)
    numbers = count_erasure(work, ids)
    if call.expect_at_most is not None and numbers.contacts > call.expect_at_most:
        problem = f"{numbers.contacts} contacts would be erased; {call.expect_at_most} were"
        raise conflict(
            "more_than_expected", f"{problem} expected. Allowed is to expect more of them."
        )
    if not call.dry_run:
        erase(work, ids)
    unknown = tuple(n for n in range(len(call.contacts)) if n not in found)
    return ErasedContacts(**dict(numbers), unknown=unknown)


def count_erasure(work: Work, contacts: Collection[UUID]) -> ErasureNumbers:
    """Return in numbers what erasing ``contacts`` comes to."""
    counted = work.connection.execute(_count_erasure(work, contacts)).mappings().one()
    rows = work.connection.execute(_count_active(work, contacts))
    active = {row.key: row.contacts for row in rows}
    return ErasureNumbers.model_validate({**counted, "active": active})


@statement("count_erasure")
def _count_erasure(work: Work, contact_ids: Collection[UUID]) -> Select[Any]:
    of_contacts = {
        "contacts": (end_users, end_users.c.id),
        "runs": (automation_enrollments, automation_enrollments.c.end_user_id),
        "mails": (messages, messages.c.end_user_id),
        "events": (events, events.c.end_user_id),
    }
    counts = [
        select(func.count())
        .select_from(table)
        .where(table.c.org_id == work.org_id, is_one_of(whose, contact_ids))
        .scalar_subquery()
        .label(name)
        for name, (table, whose) in of_contacts.items()
    ]
    kept = select(func.count()).select_from(suppressions).where(*of_nobody_else(work, contact_ids))
    return select(*counts, kept.scalar_subquery().label("suppressed"))


@statement("count_active_to_erase")
def _count_active(work: Work, contact_ids: Collection[UUID]) -> Select[Any]:
    runs, series = automation_enrollments, automations
    return (
        select(series.c.key, func.count().label("contacts"))
        .join(runs, (runs.c.org_id == series.c.org_id) & (runs.c.automation_id == series.c.id))
        .where(
            runs.c.org_id == work.org_id,
            is_one_of(runs.c.end_user_id, contact_ids),
            runs.c.ended_at.is_(None),
        )
        .group_by(series.c.key)
        .order_by(series.c.key)
    )

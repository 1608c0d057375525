"""Notes for passes: which are free, which a pass has taken, and whom they mean."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Select,
    Uuid,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    union,
)

from halo_engine.domain.series.signals import Signal
from halo_engine.series.noting import meant_addresses
from halo_engine.tables import end_users, pass_notes, signals
from halo_engine.work import Work


def are_free(work: Work) -> ColumnElement[bool]:
    """Return whether a note is free to be taken: no pass that is still there has taken it."""
    is_there = exists().where(
        signals.c.org_id == work.org_id, signals.c.id == pass_notes.c.taken_by
    )
    return and_(pass_notes.c.org_id == work.org_id, or_(pass_notes.c.taken_by.is_(None), ~is_there))


def are_taken(work: Work, signal: Signal) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a note is one that the pass of ``signal`` has taken."""
    return pass_notes.c.org_id == work.org_id, pass_notes.c.taken_by == signal.id


def meant_by(
    work: Work, taken: CTE, contact_ids: Collection[UUID], company_ids: Collection[UUID]
) -> Iterator[Select[Any]]:
    """Yield the contacts that ``taken`` notes mean beside those that are noted themselves: given
    ones, those of companies, and of addresses.
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

"""Find contacts that callers name: by ``user_id``, or by email if they have none (contract §2)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    func,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, not_found
from halo_engine.domain.values import is_storable_text
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users
from halo_engine.work import Work

_Call = TypeVar("_Call")
_Answer = TypeVar("_Answer")


class Noted(Answer):
    """The contact about which something was noted."""

    id: UUID


def unknown_mail(said: str, since: datetime | None) -> Refusal:
    """Make the 404 for a mail that is not there; ``since`` is from when on mails are (§24)."""
    older = "" if since is None else f" Mails from before {since:%Y-%m-%d} are not kept."
    return Refusal(404, "unknown_mail", said + older)


def named_contacts(given: FromClause) -> CTE:
    """Return ``named``: ``ordinal``, ``contact_id`` and ``address`` of each contact that is found.

    ``given`` has an ``ordinal`` and a ``contact``: a user's external ID, else the email of a lead
    in any case (scenarios: how a contact is named).
    """
    user = _first("named_user", end_users.c.external_id == given.c.contact)
    lead = _first(
        "named_lead",
        user.c.id.is_(None),
        end_users.c.external_id.is_(None),
        end_users.c.address == func.lower(given.c.contact),
    )
    contact_id = func.coalesce(user.c.id, lead.c.id)
    return (
        select(
            given.c.ordinal,
            contact_id.label("contact_id"),
            func.coalesce(user.c.address, lead.c.address).label("address"),
        )
        .select_from(given.outerjoin(user, true()).outerjoin(lead, true()))
        .where(contact_id.is_not(None))
        .cte("named")
    )


def _first(name: str, *conditions: ColumnElement[bool]) -> LateralFromClause:
    """Look up one contact for each row; the limit makes the planner use the index."""
    return (
        select(end_users.c.id, end_users.c.address)
        .where(end_users.c.org_id == ORG_ID, *conditions)
        .limit(1)
        .correlate_except(end_users)
        .lateral(name)
    )


def only(
    write_all: Callable[[Work, Sequence[_Call]], Sequence[_Answer | Refusal]],
    work: Work,
    call: _Call,
) -> _Answer:
    """Write a set of one, and return its answer; a refusal is raised."""
    [outcome] = write_all(work, [call])
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


def find_contacts(work: Work, names: Sequence[str]) -> list[UUID]:
    """Return the ids of the contacts named, in order; the first unknown name is a 404."""
    found = find_known(work, names)
    for ordinal, name in enumerate(names):
        if ordinal not in found:
            raise not_found("contact", name)
    return [found[ordinal] for ordinal in range(len(names))]


def find_known(work: Work, names: Sequence[str]) -> dict[int, UUID]:
    """Return the ids of the contacts named, by the index of the name; unknown names are left
    out.
    """
    given = [
        {"ordinal": ordinal, "contact": name}
        for ordinal, name in enumerate(names)
        if is_storable_text(name)
    ]
    rows = _finding().rows(work.connection, values_of(work, given))
    return {row["ordinal"]: row["contact_id"] for row in rows}


def known_users(work: Work, user_ids: Sequence[str]) -> set[str]:
    """Return those of the external IDs that are users'."""
    given = [{"ordinal": ordinal, "contact": name} for ordinal, name in enumerate(user_ids)]
    rows = _finding_users().rows(work.connection, values_of(work, given))
    return {row["external_id"] for row in rows}


@prepared("find_known_users")
def _finding_users() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "contact": Text()})
    is_it = and_(end_users.c.org_id == ORG_ID, end_users.c.external_id == given.c.contact)
    return select(end_users.c.external_id).join_from(given, end_users, is_it)


@prepared("find_contacts")
def _finding() -> Select[Any]:
    return select(named_contacts(given_rows({"ordinal": Integer(), "contact": Text()})))

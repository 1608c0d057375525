"""Contacts in pages, in order of creation: how a wide signal is worked (contract §2, §4, §8)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, FromClause, Uuid, literal, select, tuple_

from halo_engine.tables import end_users
from halo_engine.work import Work

_INSTANT = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A contact's place in the order of creation."""

    created_at: datetime
    contact_id: UUID

    def as_cursor(self) -> dict[str, str]:
        """Return the place as a signal's ``cursor`` keeps it."""
        return {"created_at": self.created_at.isoformat(), "contact_id": str(self.contact_id)}

    @classmethod
    def of_cursor(cls, cursor: Mapping[str, Any] | None) -> "Place | None":
        """Return the place that a ``cursor`` keeps; None at the beginning."""
        if cursor is None or "contact_id" not in cursor:
            return None
        return cls(datetime.fromisoformat(cursor["created_at"]), UUID(cursor["contact_id"]))


@dataclass(frozen=True, slots=True)
class Page:
    """The contacts after one place and up to another; without a last place, up to the end.

    ``until`` leaves out who was created later; a ``company_id``, everybody else's contacts.
    """

    after: Place | None
    last: Place | None
    until: datetime
    company_id: UUID | None = None

    def holds(self, contact: FromClause) -> list[ColumnElement[bool]]:
        """Return the conditions under which ``contact`` (``end_users``) is in the page."""
        place = tuple_(contact.c.created_at, contact.c.id)
        conditions: list[ColumnElement[bool]] = [contact.c.created_at <= self.until]
        if self.company_id is not None:
            conditions.append(contact.c.company_id == self.company_id)
        if self.after is not None:
            conditions.append(place > _bound(self.after))
        if self.last is not None:
            conditions.append(place <= _bound(self.last))
        return conditions


def page_after(work: Work, rest: Page, size: int) -> Page:
    """Return the first ``size`` contacts of ``rest`` as a page of their own."""
    contact = end_users
    row = work.connection.execute(
        select(contact.c.created_at, contact.c.id)
        .where(contact.c.org_id == work.org_id, *rest.holds(contact))
        .order_by(contact.c.created_at, contact.c.id)
        .offset(size - 1)
        .limit(1)
    ).one_or_none()
    return rest if row is None else replace(rest, last=Place(row.created_at, row.id))


def contacts_of(work: Work, page: Page) -> list[UUID]:
    """Return the ids of the page's contacts."""
    contact = end_users
    return list(
        work.connection.scalars(
            select(contact.c.id).where(contact.c.org_id == work.org_id, *page.holds(contact))
        )
    )


def _bound(place: Place) -> ColumnElement[Any]:
    return tuple_(literal(place.created_at, _INSTANT), literal(place.contact_id, Uuid()))

"""Contacts in pages, in order of creation: how a wide signal is worked (contract §2, §4, §8)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, FromClause, Uuid, bindparam, select, tuple_

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


#: Before and after everybody.
_FIRST: Final = Place(datetime.min.replace(tzinfo=UTC), UUID(int=0))
_LAST: Final = Place(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class Page:
    """The contacts after one place and up to another; without a last place, up to the end.

    Only contacts created up to ``until`` count, and with a ``company_id`` only those of the
    company.
    """

    after: Place | None
    last: Place | None
    until: datetime
    company_id: UUID | None = None

    @property
    def is_of_company(self) -> bool:
        """Whether the page has one company's contacts only: what ``holds`` depends on."""
        return self.company_id is not None

    def holds(self, contact: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions under which ``contact`` (``end_users``) is in the page, which is
        given with the statement (``values``).
        """
        of_company = (contact.c.company_id == bindparam("page_company", type_=Uuid()),)
        return (*is_in_page(contact), *(of_company if self.is_of_company else ()))

    def values(self) -> dict[str, object]:
        """Return the page's bounds as ``holds`` takes them."""
        after, last = self.after or _FIRST, self.last or _LAST
        bounds = {
            "page_until": self.until,
            "page_after_at": after.created_at,
            "page_after_id": after.contact_id,
            "page_last_at": last.created_at,
            "page_last_id": last.contact_id,
        }
        return {**bounds, "page_company": self.company_id} if self.is_of_company else bounds


def is_in_page(contact: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which ``contact`` is in a page of everybody."""
    created_at = contact.c.created_at
    place = tuple_(created_at, contact.c.id)
    return (
        created_at <= bindparam("page_until", type_=_INSTANT),
        place > _bound("page_after"),
        place <= _bound("page_last"),
        # Implied by the pairs, but PostgreSQL cannot estimate a comparison of pairs.
        created_at.between(
            bindparam("page_after_at", type_=_INSTANT), bindparam("page_last_at", type_=_INSTANT)
        ),
    )


def page_after(work: Work, rest: Page, size: int) -> Page:
    """Return the first ``size`` contacts of ``rest`` as a page of their own."""
    contact = end_users
    places = work.connection.execute(
        select(contact.c.created_at, contact.c.id)
        .where(contact.c.org_id == work.org_id, *rest.holds(contact))
        .order_by(contact.c.created_at, contact.c.id)
        .offset(size - 1)
        # The last contact of the page, and the one after it, if there is one.
        .limit(2),
        rest.values(),
    ).all()
    return replace(rest, last=Place(*places[0])) if len(places) == 2 else rest


def contacts_of(work: Work, page: Page) -> list[UUID]:
    """Return the ids of the page's contacts."""
    contact = end_users
    return list(
        work.connection.scalars(
            select(contact.c.id).where(contact.c.org_id == work.org_id, *page.holds(contact)),
            page.values(),
        )
    )


def _bound(name: str) -> ColumnElement[Any]:
    return tuple_(bindparam(f"{name}_at", type_=_INSTANT), bindparam(f"{name}_id", type_=Uuid()))

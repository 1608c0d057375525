"""Contacts in pages, in order of creation: how a wide signal is worked (contract §2, §4, §8)."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    and_,
    any_,
    literal,
    select,
    tuple_,
)

from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, pass_notes
from halo_engine.work import Work

_INSTANT = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class ContactCursor:
    """A contact in the order of creation, by which a wide signal knows how far it came."""

    created_at: datetime
    contact_id: UUID

    def as_cursor(self) -> dict[str, str]:
        """Return it as a signal's ``cursor`` stores it."""
        return {"created_at": self.created_at.isoformat(), "contact_id": str(self.contact_id)}

    def just_before(self) -> "ContactCursor":
        """Return the place before this one, between which there is nobody."""
        return ContactCursor(self.created_at, UUID(int=self.contact_id.int - 1))

    @classmethod
    def of_cursor(cls, cursor: Mapping[str, Any] | None) -> "ContactCursor | None":
        """Return what a signal's ``cursor`` stores; None at the beginning."""
        if cursor is None or "contact_id" not in cursor:
            return None
        return cls(datetime.fromisoformat(cursor["created_at"]), UUID(cursor["contact_id"]))


#: Before and after everybody.
_FIRST: Final = ContactCursor(datetime.min.replace(tzinfo=UTC), UUID(int=0))
_LAST: Final = ContactCursor(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class ContactRange:
    """The contacts ``after`` one and up to another, the ``last``; without it, up to the end.

    Only contacts created up to ``until`` count, with a ``company_id`` only those of the company,
    and with ``noted_for`` only those that are noted for the pass of that signal: they are ``named``
    in order, once the page is found.
    """

    after: ContactCursor | None
    last: ContactCursor | None
    until: datetime
    company_id: UUID | None = None
    noted_for: int | None = None
    named: tuple[ContactCursor, ...] = ()

    @property
    def kind(self) -> Hashable:
        """Whether the page has one company's contacts only, or those that are noted: what ``holds``
        depends on.
        """
        return self.company_id is not None, self.noted_for is not None

    @property
    def contact_ids(self) -> list[UUID] | None:
        """Who they are, where they are noted; None of other pages, which only a statement finds."""
        if self.noted_for is None:
            return None
        return [each.contact_id for each in self.named]

    def holds(self, contact: FromClause) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions under which ``contact`` (``end_users``) is in the page, which is
        given with the statement (``values``).
        """
        conditions = is_in_page(contact)
        if self.company_id is not None:
            conditions = (*conditions, contact.c.company_id == parameter("company_id"))
        if self.noted_for is not None:
            conditions = (*conditions, contact.c.id == any_(parameter("contact_ids")))
        return conditions

    def values(self) -> dict[str, object]:
        """Return the page's bounds as ``holds`` takes them."""
        after, last = self.after or _FIRST, self.last or _LAST
        bounds: dict[str, object] = {
            "until": self.until,
            "after_at": after.created_at,
            "after_id": after.contact_id,
            "last_at": last.created_at,
            "last_id": last.contact_id,
        }
        if self.company_id is not None:
            bounds["company_id"] = self.company_id
        if (named := self.contact_ids) is not None:
            bounds["contact_ids"] = named
        return bounds


def noted_contacts(after: ContactCursor | None, signal_id: int) -> ContactRange:
    """Return the contacts ``after`` one that are noted for the pass of a signal, whenever they were
    created.
    """
    return ContactRange(after, None, _LAST.created_at, noted_for=signal_id)


def is_in_page(contact: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which ``contact`` is in a page of everybody."""
    created_at = contact.c.created_at
    position = tuple_(created_at, contact.c.id)
    return (
        created_at <= parameter("until"),
        position > _bound("after"),
        position <= _bound("last"),
        # Implied by the pairs, but PostgreSQL cannot estimate a comparison of pairs.
        created_at.between(parameter("after_at"), parameter("last_at")),
    )


def page_after(work: Work, rest: ContactRange, size: int) -> ContactRange:
    """Return the first ``size`` contacts of ``rest`` as a page of their own."""
    if rest.noted_for is not None:
        noted = work.connection.execute(_noted_page(work, rest, size)).all()
        named = tuple(ContactCursor(*row) for row in noted[:size])
        return replace(rest, last=named[-1] if len(noted) > size else None, named=named)
    bounds = work.connection.execute(_page_bounds(work, rest, size), rest.values()).all()
    return replace(rest, last=ContactCursor(*bounds[0])) if len(bounds) == 2 else rest


@statement("page_bounds")
def _page_bounds(work: Work, page: ContactRange, limit: int) -> Select[Any]:
    contact = end_users
    return (
        select(contact.c.created_at, contact.c.id)
        .where(contact.c.org_id == work.org_id, *page.holds(contact))
        .order_by(contact.c.created_at, contact.c.id)
        .offset(limit - 1)
        # The last contact of the page, and the one after it, if there is one.
        .limit(2)
    )


@statement("noted_page")
def _noted_page(work: Work, page: ContactRange, limit: int) -> Select[Any]:
    note, contact = pass_notes, end_users
    # Materialized, so that contacts are looked up by their ids, each once.
    noted = (
        select(note.c.end_user_id)
        .where(note.c.org_id == work.org_id, note.c.taken_by == page.noted_for)
        .distinct()
        .cte("noted")
        .prefix_with("MATERIALIZED")
    )
    is_its = and_(contact.c.org_id == work.org_id, contact.c.id == noted.c.end_user_id)
    after = page.after or _FIRST
    position = tuple_(contact.c.created_at, contact.c.id)
    return (
        select(contact.c.created_at, contact.c.id)
        .select_from(noted.join(contact, is_its))
        .where(position > tuple_(literal(after.created_at), literal(after.contact_id)))
        .order_by(contact.c.created_at, contact.c.id)
        # The page, and the one after it, if there is one.
        .limit(limit + 1)
    )


def contacts_of(work: Work, page: ContactRange) -> list[UUID]:
    """Return the ids of the page's contacts."""
    return list(work.connection.scalars(_read_page(work, page), page.values()))


@statement("read_page")
def _read_page(work: Work, page: ContactRange) -> Select[Any]:
    contact = end_users
    return select(contact.c.id).where(contact.c.org_id == work.org_id, *page.holds(contact))


def _bound(name: str) -> ColumnElement[Any]:
    return tuple_(parameter(f"{name}_at"), parameter(f"{name}_id"))

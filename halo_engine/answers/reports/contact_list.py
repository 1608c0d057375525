"""Contacts page by page, newest first: all, by name, or by audience (§3)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from halo_engine.answers.reports.preview import (
    Definition,
    PreviewedContact,
    audience_of,
    place_of,
)
from halo_engine.audience.matched import matched
from halo_engine.audience.matching import Audience
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.values import check_text
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work


class ContactPage(Answer):
    """A page of contacts; ``next`` is what to give as ``after`` for the page that follows."""

    contacts: tuple[PreviewedContact, ...]
    next: UUID | None


def contact_list(
    work: Work,
    *,
    search: str | None = None,
    within: Definition | None = None,
    after: UUID | None = None,
    size: int = PAGE,
) -> ContactPage:
    """Return up to ``size`` contacts, newest first, that follow the contact ``after``.

    ``search`` keeps contacts whose external ID or email starts with it (emails in any case).
    ``within`` keeps those that a series, saved or not, matches now.
    """
    if search is not None:
        check_text(search, "search")
    audience = None if within is None else audience_of(work, within)
    return page_of(work, _page_contacts(work, search, audience, after, size + 1), size)


@statement("page_contacts")
def _page_contacts(
    work: Work, search: str | None, audience: Audience | None, after: UUID | None, limit: int
) -> Select[Any]:
    contact = end_users.alias("contact")
    conditions: list[ColumnElement[bool]] = [contact.c.org_id == work.org_id]
    if search is not None:
        asked = literal(search, Text())
        conditions.append(
            or_(
                func.starts_with(contact.c.external_id, asked),
                func.starts_with(contact.c.address, func.lower(asked)),
            )
        )
    if audience is not None:
        found = matched(work.org_id, audience, work.moment)
        conditions.append(contact.c.id.in_(found))
    return newest_contacts(work, contact, conditions, after=after, limit=limit)


def newest_contacts(
    work: Work,
    contact: FromClause,
    conditions: Iterable[ColumnElement[bool]],
    *,
    among: FromClause | None = None,
    after: UUID | None,
    limit: int,
) -> Select[Any]:
    """Select those rows of ``contact`` that meet the conditions, newest first.

    ``among`` is what the rows are selected from, if not from ``contact`` alone.
    """
    asked = select(*[contact.c[name] for name in PreviewedContact.model_fields])
    asked = asked.select_from(contact if among is None else among).where(*conditions)
    if after is not None:
        place = place_of(work, after, newest_first=True)
        asked = asked.where(tuple_(contact.c.created_at, contact.c.id) < place)
    ordered = asked.order_by(contact.c.created_at.desc(), contact.c.id.desc())
    return ordered.limit(limit)


def page_of(work: Work, statement: Select[Any], size: int) -> ContactPage:
    """Return the page that a statement of ``newest_contacts`` finds, for ``size`` + 1 rows."""
    rows = work.connection.execute(statement).mappings()
    contacts = [PreviewedContact.model_validate(row) for row in rows]
    return ContactPage(
        contacts=tuple(contacts[:size]),
        next=contacts[size - 1].id if len(contacts) > size else None,
    )

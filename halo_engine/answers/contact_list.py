"""Contacts page by page, newest first: all, by name, or by audience (§3)."""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, and_, func, literal, or_, select, tuple_

from halo_engine.answers.preview import Definition, PreviewedContact, audience_of
from halo_engine.answers.shape import Answer
from halo_engine.audience.matched import matched
from halo_engine.domain.values import check_text
from halo_engine.tables import end_users
from halo_engine.work import Work

PAGE: Final = 50


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
    contact = end_users.alias("contact")
    conditions: list[ColumnElement[bool]] = [contact.c.org_id == work.org_id]
    if search is not None:
        check_text(search, "search")
        asked = literal(search, Text())
        conditions.append(
            or_(
                func.starts_with(contact.c.external_id, asked),
                func.starts_with(contact.c.address, func.lower(asked)),
            )
        )
    if within is not None:
        found = matched(work.org_id, audience_of(work, within), work.moment)
        conditions.append(contact.c.id.in_(found))
    if after is not None:
        last = end_users.alias("last")
        place = select(last.c.created_at, last.c.id).where(
            and_(last.c.org_id == work.org_id, last.c.id == literal(after, Uuid()))
        )
        conditions.append(tuple_(contact.c.created_at, contact.c.id) < place.scalar_subquery())
    rows = work.connection.execute(
        select(*[contact.c[name] for name in PreviewedContact.model_fields])
        .where(*conditions)
        .order_by(contact.c.created_at.desc(), contact.c.id.desc())
        .limit(size + 1)
    ).mappings()
    contacts = [PreviewedContact.model_validate(row) for row in rows]
    return ContactPage(
        contacts=tuple(contacts[:size]),
        next=contacts[size - 1].id if len(contacts) > size else None,
    )

"""Preview: which contacts a series, saved or being written, matches now (contract §10)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ScalarSelect,
    Select,
    Uuid,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)

from halo_engine.audience.matched import count_matched, matched
from halo_engine.audience.matching import Audience
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.filter_groups import FilterGroups
from halo_engine.domain.reasons import AudienceType, ContactType, ContactTypeChoice, EntryTrigger
from halo_engine.domain.series.definition import Series, SeriesDefinition
from halo_engine.domain.series.settings import patience_of
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, subscriptions
from halo_engine.work import Work

#: Matches are frequent if they fill more pages than this.
_FREQUENT = 20


class PreviewedContact(Answer):
    """A matched contact, as a list of contacts shows it."""

    id: UUID
    external_id: str | None
    email: str | None
    name: str | None
    contact_type: ContactType
    created_at: Instant


class Preview(Answer):
    """How many contacts match, and a page of them in order of creation.

    ``next`` is the ``after`` of the next page, None on the last. ``note`` is set where matching
    contacts will not enter as they are.
    """

    matched: int
    contacts: tuple[PreviewedContact, ...]
    next: UUID | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """The audience of a definition, its list looked up."""

    audience_type: AudienceType
    contact_type: ContactTypeChoice
    subscription_id: UUID | None
    audience_filters: FilterGroups
    patience: timedelta | None


#: A series, saved or being written.
Definition = Series | SeriesDefinition


def preview(work: Work, of: Definition, *, after: UUID | None = None, size: int = PAGE) -> Preview:
    """Return how many contacts ``of`` matches now, and up to ``size`` that follow ``after``.

    Without a page, only the count is asked of the database.

    Raises 400 for a definition that names an unknown list.
    """
    audience = audience_of(work, of)
    count = count_matched(work.connection, work.org_id, audience, work.moment)
    is_frequent = count > size * _FREQUENT
    rows = _page(work, audience, after, size + 1, frequent=is_frequent) if size and count else []
    return Preview(
        matched=count,
        contacts=tuple(rows[:size]),
        next=rows[size - 1].id if len(rows) > size else None,
        note=_note(of),
    )


def _note(of: Definition) -> str | None:
    """Return a note for a series that waits for a trigger: who matches does not enter yet."""
    match of.entry_trigger:
        case EntryTrigger.USER_CREATED:
            takes = "contacts that are created while it is active"
        case EntryTrigger.EVENT:
            event = of.settings.entry_event_name
            named = f"the event {shown(event)}" if event else "its event"
            takes = f"contacts for whom {named} fires while it is active"
        case _:
            return None
    return f"This shows who fits now, not who gets it: the series takes {takes}."


def _page(
    work: Work, of: Audience, after: UUID | None, limit: int, *, frequent: bool
) -> list[PreviewedContact]:
    """Return a page of matching contacts, in order of creation.

    If matches are frequent, contacts are read in that order until the page is full; else one scan
    finds all matches.
    """
    rows = work.connection.execute(
        _page_matched(work, of, after, limit, frequent=frequent)
    ).mappings()
    return [PreviewedContact.model_validate(row) for row in rows]


@statement("page_matched", frequent=True)
def _page_matched(
    work: Work, of: Audience, after: UUID | None, limit: int, *, frequent: bool
) -> Select[Any]:
    contact = end_users.alias("contact")
    cursor = tuple_(contact.c.created_at, contact.c.id)
    page = (
        select(*[contact.c[name] for name in PreviewedContact.model_fields])
        .where(contact.c.org_id == work.org_id)
        .order_by(contact.c.created_at, contact.c.id)
    )
    if after is not None:
        page = page.where(cursor > place_of(work, after, newest_first=False))
    found = matched(work.org_id, of, work.moment)
    if frequent:
        # OFFSET 0 keeps the planner from collecting all matches first.
        walked = page.offset(literal_column("0")).subquery("walked")
        is_matched = found.where(end_users.c.id == walked.c.id).offset(literal_column("0"))
        page = (
            select(walked)
            .join(is_matched.lateral("is_matched"), true())
            .order_by(walked.c.created_at, walked.c.id)
        )
    else:
        page = page.where(contact.c.id.in_(found))
    return page.limit(limit)


def place_of(work: Work, after: UUID, *, newest_first: bool) -> ScalarSelect[Any]:
    """Select where the contact ``after`` stands in the order of creation: its instant and its id.

    If it was erased meanwhile, or became one with another, the instant is that of the next one by
    id: ids are made in order of creation too.
    """
    last, near = end_users.alias("last"), end_users.alias("near")
    id_ = literal(after, Uuid())
    own = select(last.c.created_at).where(last.c.org_id == work.org_id, last.c.id == id_)
    follows, order = (
        (near.c.id < id_, near.c.id.desc()) if newest_first else (near.c.id > id_, near.c.id)
    )
    neighbours = select(near.c.created_at).where(near.c.org_id == work.org_id, follows)
    instant = func.coalesce(
        own.scalar_subquery(), neighbours.order_by(order).limit(1).scalar_subquery()
    )
    return select(instant, id_).scalar_subquery()


def audience_of(work: Work, of: Definition) -> Audience:
    """Return the audience of a series; for an unsaved one, look up its list."""
    if isinstance(of, Series):
        return of
    return _Unsaved(
        of.audience_type,
        of.contact_type,
        _list_id(work, of.subscription),
        of.audience_filters,
        patience_of(of.entry_trigger, of.settings),
    )


def _list_id(work: Work, key: str | None) -> UUID | None:
    if key is None:
        return None
    found: UUID | None = work.connection.scalar(_find_list(work, key))
    if found is None:
        raise bad_input("subscription", f"there is no subscription list {shown(key)}")
    return found


@statement("find_list")
def _find_list(work: Work, list_key: str | None) -> Select[Any]:
    return select(subscriptions.c.id).where(
        subscriptions.c.org_id == work.org_id, subscriptions.c.key == list_key
    )

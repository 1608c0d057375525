"""Subscription lists themselves, an organisation's topics: saving and reading them (§3, §16)."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    Update,
    and_,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input, conflict, in_its_place, not_found, shown
from halo_engine.domain.series.definition import check_key
from halo_engine.domain.values import check_text
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations, pending_members, subscription_members, subscriptions
from halo_engine.work import Work

#: How long a contact may take to confirm a list.
CONFIRMED_WITHIN: Final = timedelta(days=7)

_LONGEST_NAME: Final = 100
_LONGEST_DESCRIPTION: Final = 500
#: The columns that a call changes, by its fields.
_COLUMNS: Final = {
    "name": "name",
    "description": "description",
    "default": "is_default",
    "double_opt_in": "double_opt_in",
}


def _said_to_people(text: str | None) -> str | None:
    if text is not None:
        check_text(text, "text")
        if not text.strip() or not text.isprintable():
            raise bad_input("text", f"{shown(text)} is blank or no line of plain text", "bad_text")
    return text


class ListAnswer(Answer):
    """A subscription list: what people see of it, how one joins it, and how many are on it.

    Contacts that have yet to confirm are ``pending``, and no ``subscribers``.
    """

    list: str
    name: str | None = None
    description: str | None = None
    default: bool = False
    double_opt_in: bool = False
    subscribers: int = 0
    pending: int = 0


class Lists(Answer):
    """Every list, by key."""

    items: tuple[ListAnswer, ...]
    next: None = None


class SaveListCall(Call):
    """A list by its key, and what to set of it; what is not given stays as it is.

    ``name`` and ``description`` are what people see, one line of text each. Contacts join a
    ``default`` list when they are created. With ``double_opt_in`` whoever subscribes has to confirm
    it by a mail; such a list is no default.
    """

    list: Identifier
    name: Annotated[
        str | None,
        Field(max_length=_LONGEST_NAME),
        AfterValidator(in_its_place(_said_to_people)),
    ] = None
    description: Annotated[
        str | None,
        Field(max_length=_LONGEST_DESCRIPTION),
        AfterValidator(in_its_place(_said_to_people)),
    ] = None
    default: bool = False
    double_opt_in: bool = False


def save_list(work: Work, call: SaveListCall) -> ListAnswer:
    """Make the list, or change what is given of one that is there; return it (contract §16).

    Raises a 400 for a list that would be both ``default`` and ``double_opt_in``, and for
    ``double_opt_in`` where no page could confirm it.
    """
    check_key(call.list, "list")
    values = {column: getattr(call, name) for name, column in _given(call).items()}
    if values.get("double_opt_in") and not work.reach.confirm:
        problem = "people could not confirm; allowed is true once HALO_PUBLIC_URL is set"
        raise bad_input("double_opt_in", problem, "no_public_url")
    if {"is_default", "double_opt_in"} & {*values}:
        # Of two changes at once the second one sees the first.
        work.connection.execute(_hold_org_lists(work))
        _refuse_both(call, find_list(work, call.list))
    work.connection.execute(_saving_list(work, call.list, values))
    if "is_default" in values:
        work.connection.execute(_note_default_lists(work))
    if values.get("double_opt_in"):
        work.connection.execute(_note_asking(work))
    [saved] = all_lists(work, call.list)
    return saved


def create_list(work: Work, key: str) -> ListAnswer:
    """Make an empty list; a 409 when there is one of that key."""
    if work.connection.scalar(_creating_list(work, check_key(key, "list"))) is None:
        raise conflict("list_exists", f"There is a list {shown(key)} already.")
    return ListAnswer(list=key)


@statement("create_list")
def _creating_list(work: Work, list_key: str) -> Executable:
    return (
        insert(subscriptions)
        .values(org_id=work.org_id, key=list_key, created_at=work.now)
        .on_conflict_do_nothing(index_elements=["org_id", "key"])
        .returning(subscriptions.c.id)
    )


def change_list(work: Work, call: SaveListCall) -> ListAnswer:
    """Change what is given of a list; a 404 when there is none of that key."""
    if find_list(work, call.list) is None:
        raise not_found("list", call.list)
    return save_list(work, call)


def _given(call: SaveListCall) -> dict[str, str]:
    return {name: column for name, column in _COLUMNS.items() if name in call.model_fields_set}


def _refuse_both(call: SaveListCall, before: ListAnswer | None) -> None:
    """Refuse to make a list both: it would write to each new contact, who asked for nothing."""
    given = call.model_dump(exclude_unset=True)
    stood = {} if before is None else before.model_dump()
    if all({**stood, **given}.get(name) for name in ("default", "double_opt_in")):
        problem = "a default list cannot have double_opt_in; allowed is one of the two"
        raise bad_input("default" if call.default else "double_opt_in", problem)


@statement("hold_org_lists")
def _hold_org_lists(work: Work) -> Select[Any]:
    held = select(organizations.c.id).where(organizations.c.id == work.org_id)
    return held.with_for_update(key_share=True)


@statement("save_list", values={"name": "News"})
def _saving_list(work: Work, list_key: str, values: dict[str, Any]) -> Executable:
    made = insert(subscriptions).values(
        org_id=work.org_id, key=list_key, created_at=work.now, **values
    )
    keys = ["org_id", "key"]
    if not values:
        return made.on_conflict_do_nothing(index_elements=keys)
    return made.on_conflict_do_update(
        index_elements=keys, set_={name: made.excluded[name] for name in values}
    )


@statement("note_default_lists")
def _note_default_lists(work: Work) -> Update:
    is_one = exists().where(subscriptions.c.org_id == work.org_id, subscriptions.c.is_default)
    return (
        update(organizations)
        .where(organizations.c.id == work.org_id, organizations.c.has_default_lists != is_one)
        .values(has_default_lists=is_one)
    )


@statement("note_asking")
def _note_asking(work: Work) -> Update:
    org = organizations
    return (
        update(org)
        .where(org.c.id == work.org_id, org.c.asks_to_confirm.is_(False))
        .values(asks_to_confirm=True)
    )


def find_list(work: Work, key: str) -> ListAnswer | None:
    """Return the list of that key, without counting who is on it; None if there is none."""
    row = work.connection.execute(_find_list(work, key)).mappings().one_or_none()
    return None if row is None else ListAnswer(**row)


_SHOWN: Final[tuple[ColumnElement[Any], ...]] = (
    subscriptions.c.key.label("list"),
    subscriptions.c.name,
    subscriptions.c.description,
    subscriptions.c.is_default.label("default"),
    subscriptions.c.double_opt_in,
)


@statement("read_list")
def _find_list(work: Work, list_key: str) -> Select[Any]:
    lists = subscriptions
    return select(*_SHOWN).where(lists.c.org_id == work.org_id, lists.c.key == list_key)


def all_lists(work: Work, key: str | None = None) -> list[ListAnswer]:
    """Return the organisation's lists, by key; or the one of that key."""
    rows = work.connection.execute(_list_lists(work, key)).mappings()
    return [ListAnswer(**row) for row in rows]


@statement("list_lists")
def _list_lists(work: Work, list_key: str | None) -> Select[Any]:
    lists, members, pending = subscriptions, subscription_members, pending_members
    on_it = and_(members.c.org_id == lists.c.org_id, members.c.subscription_id == lists.c.id)
    subscribers = select(func.count()).select_from(members).where(on_it)
    waits = and_(
        pending.c.org_id == lists.c.org_id,
        pending.c.subscription_id == lists.c.id,
        pending.c.asked_at > work.now - CONFIRMED_WITHIN,
    )
    waiting = select(func.count()).select_from(pending).where(waits)
    found = (
        select(
            *_SHOWN,
            subscribers.scalar_subquery().label("subscribers"),
            waiting.scalar_subquery().label("pending"),
        )
        .where(lists.c.org_id == work.org_id)
        .order_by(lists.c.key)
    )
    return found if list_key is None else found.where(lists.c.key == list_key)

"""Waiting calls are done once their user has come, or deleted after too long (contract §13)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Select,
    and_,
    any_,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from halo_engine.contacts.calls import Call
from halo_engine.contacts.clients import anonymous, repeats, waiting
from halo_engine.contacts.clients.links import LINK_SET, AliasCall
from halo_engine.contacts.clients.waiting import ReadyCall
from halo_engine.contacts.companies.identify import IDENTIFY_COMPANY_SET, IdentifyCompanyCall
from halo_engine.contacts.events.track import TRACK_SET, TrackCall
from halo_engine.domain.errors import Refusal, validated
from halo_engine.sets import SetCall, SetForm, perform_calls
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    anonymous_traits,
    end_users,
    organizations,
    taken_messages,
    waiting_calls,
)
from halo_engine.work import Work

_log = structlog.get_logger(__name__)

#: The most calls that are done, and rows of a table that are deleted, in one transaction.
PAGE: Final = 1_000
#: How long rows are kept, with the column that says since when.
_STAYS: Final[Mapping[Column[Any], timedelta]] = {
    waiting_calls.c.came_at: waiting.WAIT,
    anonymous_traits.c.said_at: anonymous.WAIT,
    taken_messages.c.taken_at: repeats.REMEMBERED,
}


class _Door(NamedTuple):
    call: type[Call]
    form: SetForm


#: The doors whose calls may wait. Their callers were proven when the calls came.
_DOORS: Final[Mapping[str, _Door]] = {
    "track": _Door(TrackCall, TRACK_SET),
    "companies.identify": _Door(IdentifyCompanyCall, IDENTIFY_COMPANY_SET),
    "sessions.link": _Door(AliasCall, LINK_SET),
}


def give(work: Work, user_ids: Sequence[str]) -> None:
    """Do the calls that wait for these users, who were just created."""
    _do(work, waiting.find_waiting(work, user_ids))


def tend(work: Work) -> bool:
    """Do calls whose users came by other doors, and delete what waited too long, a page of each.

    Return whether there may be more.
    """
    gone = [_do(work, waiting.find_any_waiting(work, PAGE))]
    for since, stays in _STAYS.items():
        gone.append(work.connection.execute(_deleting_old(work, since, stays, PAGE)).rowcount)
    return PAGE in gone


def _do(work: Work, found: Sequence[ReadyCall]) -> int:
    """Do calls in the order in which they came, and delete them; return how many.

    A refused one is logged and deleted too. A call stays if its user was erased meanwhile, or if
    this version cannot read it: one that can may run before it expires.
    """
    read = [(each, call) for each in found if (call := _call_of(each)) is not None]
    if not read:
        return 0
    outcomes = perform_calls(work, [call for _, call in read], work.org.known_fields)
    done = []
    for (each, _), outcome in zip(read, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            _log.warning("a waiting call is refused", call=each.id, code=outcome.code)
            if outcome.status == 404:
                continue
        done.append(each.id)
    waiting.remove_waiting(work, done)
    return len(done)


def _call_of(found: ReadyCall) -> SetCall | None:
    """Return a call as it was kept; None for one that another version of this code kept."""
    try:
        door = _DOORS[found.call.door]
        return SetCall(door.form, validated(door.call, found.call.fields, found.call.door))
    except (KeyError, Refusal):
        _log.warning("a waiting call cannot be read", call=found.id, door=found.call.door)
        return None


@statement("delete_old_messages", since=waiting_calls.c.came_at, stays=waiting.WAIT)
def _deleting_old(work: Work, since: Column[Any], stays: timedelta, limit: int) -> Delete:
    table = since.table
    row: ColumnElement[object] = literal_column("ctid")
    old = select(row).where(table.c.org_id == work.org_id, since <= work.now - stays)
    return delete(table).where(row == any_(func.array(old.limit(limit).scalar_subquery())))


def organizations_to_tend(connection: Connection) -> list[UUID]:
    """Return the organisations where a user came for whom calls wait, or something waited too long;
    the clock is the database's.
    """
    return list(connection.scalars(_find_orgs_to_tend()))


@statement("find_orgs_to_tend")
def _find_orgs_to_tend() -> Select[Any]:
    org = organizations
    has_come = exists().where(
        waiting_calls.c.org_id == org.c.id,
        end_users.c.org_id == org.c.id,
        end_users.c.external_id == waiting_calls.c.user_id,
    )
    return select(org.c.id).where(or_(has_come, *map(_is_old, _STAYS)))


def _is_old(since: Column[Any]) -> ColumnElement[bool]:
    is_over = since <= func.now() - literal(_STAYS[since])
    return exists().where(and_(since.table.c.org_id == organizations.c.id, is_over))

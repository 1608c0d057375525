"""Calls about unknown users: kept for a day, and done if the user comes (§13).

Anybody can make up user ids, so the calls for an id, and for an organisation, are bounded.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Delete,
    Integer,
    Select,
    Text,
    any_,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.domain.errors import Refusal, conflict
from halo_engine.series.locks import WAITING_LOCK
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users, waiting_calls
from halo_engine.work import Work

#: How long a call waits for its user.
WAIT: Final = timedelta(days=1)
#: The most calls that wait for one user, and in one organisation.
MOST_OF_A_USER: Final = 100
MOST_OF_AN_ORGANIZATION: Final = 100_000


class WaitingCall(NamedTuple):
    """A call that waits: its user, its door, and its fields."""

    user_id: str
    door: str
    fields: Mapping[str, Any]


def keep_waiting(
    work: Work, calls: Sequence[WaitingCall], *, most: int = MOST_OF_AN_ORGANIZATION
) -> list[Refusal | None]:
    """Keep calls until their users come; return why each is refused, None for those that are kept.

    Two statements: the first one lets nobody else of the organisation keep any until the commit, so
    that the second one counts right.
    """
    if not calls:
        return []
    _locking().rows(work.connection, {"org_id": work.org_id})
    given = [{"ordinal": ordinal, **each._asdict()} for ordinal, each in enumerate(calls)]
    rows = _keeping(most).rows(work.connection, values_of(work, given))
    kept = {row["ordinal"] for row in rows}
    return [None if ordinal in kept else _too_many() for ordinal in range(len(calls))]


def _too_many() -> Refusal:
    problem = f"allowed are {MOST_OF_A_USER} of a user and {MOST_OF_AN_ORGANIZATION} in all"
    return conflict(
        "too_many_waiting",
        f"userId: is unknown, and too many calls wait for their users already; {problem}",
    )


@prepared("lock_waiting_calls")
def _locking() -> Select[Any]:
    key = func.hashtext(cast(ORG_ID, Text))
    return select(cast(func.pg_advisory_xact_lock(WAITING_LOCK, key), Text))


@prepared("keep_waiting_calls", most=MOST_OF_AN_ORGANIZATION)
def _keeping(most: int) -> Select[Any]:
    table = waiting_calls
    given = given_rows({"ordinal": Integer(), "user_id": Text(), "door": Text(), "fields": JSONB()})
    of_user = (
        select(func.count())
        .where(table.c.org_id == ORG_ID, table.c.user_id == given.c.user_id)
        .scalar_subquery()
    )
    rank = func.row_number().over(partition_by=given.c.user_id, order_by=given.c.ordinal)
    ranked = select(given, (of_user + rank).label("rank")).cte("ranked")
    first = select(ranked).where(ranked.c.rank <= MOST_OF_A_USER).cte("first")
    waiting = select(table.c.id).where(table.c.org_id == ORG_ID).limit(most).subquery("waiting")
    in_all = select(func.count()).select_from(waiting).scalar_subquery()
    number = func.row_number().over(order_by=first.c.ordinal)
    numbered = select(first, (in_all + number).label("number")).cte("numbered")
    fitting = select(numbered).where(numbered.c.number <= most).cte("fitting")
    rows = select(ORG_ID, fitting.c.user_id, fitting.c.door, fitting.c.fields, NOW).order_by(
        fitting.c.ordinal
    )
    columns = ["org_id", "user_id", "door", "fields", "came_at"]
    kept = insert(table).from_select(columns, rows, include_defaults=False).cte("kept")
    return select(fitting.c.ordinal).add_cte(kept)


class ReadyCall(NamedTuple):
    """A waiting call whose user has come."""

    id: int
    call: WaitingCall


def find_waiting(work: Work, user_ids: Sequence[str]) -> list[ReadyCall]:
    """Return the calls that wait for those of these users who are known now, and lock them.

    Calls that another transaction has locked are skipped.
    """
    if not user_ids:
        return []
    given = [{"user_id": user_id} for user_id in sorted(set(user_ids))]
    return _found(_finding().rows(work.connection, values_of(work, given)))


def find_any_waiting(work: Work, most: int) -> list[ReadyCall]:
    """Return the same of any users who are known now: ``most`` calls at most."""
    values = {"org_id": work.org_id, "now": work.now, "limit": most}
    return _found(_finding_any().rows(work.connection, values))


def _found(rows: Sequence[Mapping[str, Any]]) -> list[ReadyCall]:
    return [
        ReadyCall(row["id"], WaitingCall(row["user_id"], row["door"], row["fields"]))
        for row in rows
    ]


def _come() -> Select[Any]:
    table = waiting_calls
    is_known = exists().where(
        end_users.c.org_id == ORG_ID, end_users.c.external_id == table.c.user_id
    )
    return (
        select(table.c.id, table.c.user_id, table.c.door, table.c.fields)
        .where(table.c.org_id == ORG_ID, table.c.came_at > NOW - literal(WAIT), is_known)
        .order_by(table.c.id)
        .with_for_update(skip_locked=True, of=table)
    )


@prepared("find_waiting_calls")
def _finding() -> Select[Any]:
    given = given_rows({"user_id": Text()})
    return _come().where(waiting_calls.c.user_id.in_(select(given.c.user_id)))


@prepared("find_any_waiting_calls")
def _finding_any() -> Select[Any]:
    return _come().limit(parameter("limit"))


def forget_waiting(work: Work, user_id: str) -> None:
    """Delete the calls that wait for a user."""
    work.connection.execute(_forget(work, user_id))


@statement("forget_waiting_calls")
def _forget(work: Work, contact_name: str) -> Delete:
    table = waiting_calls
    return delete(table).where(table.c.org_id == work.org_id, table.c.user_id == contact_name)


class WaitingNow(NamedTuple):
    """How many calls wait in an organisation, and since when the oldest does."""

    number: int
    oldest: datetime | None


def waiting_now(work: Work) -> WaitingNow:
    """Return how many calls wait."""
    return WaitingNow(*work.connection.execute(_count_waiting(work)).one())


@statement("count_waiting_calls")
def _count_waiting(work: Work) -> Select[int, Any]:
    table = waiting_calls
    counted = select(func.count(), func.min(table.c.came_at))
    return counted.where(table.c.org_id == work.org_id, table.c.came_at > work.now - WAIT)


def remove_waiting(work: Work, ids: Sequence[int]) -> None:
    """Delete calls that were done."""
    if ids:
        work.connection.execute(_remove(work, ids))


@statement("remove_waiting_calls")
def _remove(work: Work, call_ids: Sequence[int]) -> Delete:
    table = waiting_calls
    gone = table.c.id == any_(literal(list(call_ids), ARRAY(BigInteger())))
    return delete(table).where(table.c.org_id == work.org_id, gone)

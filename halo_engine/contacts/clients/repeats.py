"""Messages that come again: each is taken once, by its id (contract §13).

A client that got no answer sends its batch again, with another sending time. Ids are kept for seven
days.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Delete, Integer, Select, Uuid, any_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import taken_messages
from halo_engine.work import Work

#: How long a message's id is kept.
REMEMBERED: Final = timedelta(days=7)


class Ticket(NamedTuple):
    """The identity of a message: its ordinal in the set, and hashes of its id and its body."""

    ordinal: int
    key: UUID
    body: UUID | None


class Taken(NamedTuple):
    """The ordinals of new messages, and of those whose id came with another body."""

    new: frozenset[int]
    contradicting: frozenset[int]


def ticket(ordinal: int, client: str, key: str, body: str | None) -> Ticket:
    """Return the ticket of a message; ids of different clients are apart."""
    return Ticket(ordinal, _hashed(client, key), None if body is None else _hashed(client, body))


def _hashed(*said: str) -> UUID:
    return UUID(bytes=sha256("\0".join(said).encode()).digest()[:16])


def take(work: Work, tickets: Sequence[Ticket]) -> Taken:
    """Note messages as taken: one statement, and a second one if some with a body came before.

    It waits for another transaction that takes the same message. Of several with one id in a set
    the first counts.
    """
    if not tickets:
        return Taken(frozenset(), frozenset())
    given = [
        {"ordinal": each.ordinal, "key": str(each.key), "body": each.body and str(each.body)}
        for each in tickets
    ]
    rows = _taking().rows(work.connection, values_of(work, given))
    new = frozenset(row["ordinal"] for row in rows)
    repeated = [each for each in tickets if each.body is not None and each.ordinal not in new]
    bodies: dict[UUID, UUID] = {}
    if repeated:
        found = work.connection.execute(_read_bodies(work, [each.key for each in repeated]))
        bodies = {row.key: row.body for row in found}
    contradicting = (each.ordinal for each in repeated if bodies.get(each.key) != each.body)
    return Taken(new, frozenset(contradicting))


@prepared("take_messages")
def _taking() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "key": Uuid(), "body": Uuid()})
    turn = func.row_number().over(partition_by=given.c.key, order_by=given.c.ordinal)
    in_turn = select(given, turn.label("turn")).cte("in_turn")
    first = select(in_turn).where(in_turn.c.turn == 1).cte("first")
    rows = select(ORG_ID, first.c.key, first.c.body, NOW).order_by(first.c.key)
    table = taken_messages
    claimed = (
        insert(table)
        .from_select([column.name for column in table.c], rows)
        .on_conflict_do_nothing()
        .returning(table.c.key)
        .cte("claimed")
    )
    return select(first.c.ordinal).join_from(first, claimed, claimed.c.key == first.c.key)


@statement("read_taken_bodies")
def _read_bodies(work: Work, message_keys: Sequence[UUID]) -> Select[Any]:
    table = taken_messages
    return select(table.c.key, table.c.body).where(
        table.c.org_id == work.org_id, table.c.key == any_(_keys(message_keys))
    )


def give_back(work: Work, tickets: Iterable[Ticket]) -> None:
    """Forget messages that were refused: sent again, they are judged anew."""
    keys = [each.key for each in tickets]
    if keys:
        work.connection.execute(_give_back(work, keys))


@statement("give_back_messages")
def _give_back(work: Work, message_keys: Sequence[UUID]) -> Delete:
    table = taken_messages
    mine = table.c.key == any_(_keys(message_keys))
    return delete(table).where(table.c.org_id == work.org_id, mine)


def _keys(keys: Sequence[UUID]) -> Any:
    return literal(list(keys), ARRAY(Uuid()))

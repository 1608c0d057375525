"""Traits of anonymous people: kept until they identify themselves, for 30 days at most (contract
§13).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Delete, Select, Text, any_, case, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert

from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.domain.errors import bad_input
from halo_engine.domain.fields.traits import LARGEST
from halo_engine.domain.values import compact_size
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import anonymous_traits
from halo_engine.work import Work

#: How long traits are kept after the last of them came.
WAIT: Final = timedelta(days=30)

#: Traits by the anonymous id that they were said under.
ByNobody = Mapping[str, Mapping[str, Any]]


class _Use(NamedTuple):
    """Traits that went to a user: their anonymous id, the message of the set, and those that the
    set itself gave.
    """

    session_id: str
    ordinal: int
    said: dict[str, Any]


class AnonymousTraits:
    """What is kept under the anonymous ids of a set, while its messages are read in order."""

    def __init__(self, work: Work, session_ids: Iterable[str]) -> None:
        self._work = work
        self._kept = _hold_traits(work, session_ids)
        self._said: dict[str, dict[str, Any]] = {}
        self._used: list[_Use] = []

    def of(self, session_id: str | None) -> dict[str, Any]:
        """Return the traits of an anonymous id."""
        if session_id is None:
            return {}
        return {**self._kept.get(session_id, {}), **self._said.get(session_id, {})}

    def say(self, session_id: str, traits: Mapping[str, Any]) -> None:
        """Keep more traits; raises a 400 if they are too many."""
        size = compact_size({**self.of(session_id), **traits})
        if size > LARGEST:
            problem = f"with those said before they are {size} bytes as compact JSON"
            raise bad_input("traits", f"{problem}; allowed are {LARGEST}", "too_large")
        self._said[session_id] = {**self._said.get(session_id, {}), **traits}

    def use(self, session_id: str, ordinal: int) -> None:
        """Note that the traits go to the user whom the message at ``ordinal`` identifies."""
        if session_id in self._kept or session_id in self._said:
            self._kept.pop(session_id, None)
            self._used.append(_Use(session_id, ordinal, self._said.pop(session_id, {})))

    def write(self, refused: Collection[int]) -> None:
        """Store new traits and delete used ones, but not those of ``refused`` messages."""
        used = []
        for session_id, ordinal, said in self._used:
            if ordinal not in refused:
                used.append(session_id)
            elif said:
                self._said[session_id] = {**said, **self._said.get(session_id, {})}
        _forget_traits(self._work, used)
        _keep_traits(self._work, self._said)


def _hold_traits(work: Work, session_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the traits kept under these ids, and lock them until the commit."""
    wanted = sorted(set(session_ids))
    if not wanted:
        return {}
    rows = work.connection.execute(_hold(work, wanted))
    return {row.session_id: row.traits for row in rows}


@statement("hold_anonymous_traits")
def _hold(work: Work, session_ids: list[str]) -> Select[Any]:
    table = anonymous_traits
    return (
        select(table.c.session_id, table.c.traits)
        .where(
            table.c.org_id == work.org_id,
            table.c.session_id == any_(literal(session_ids, ARRAY(Text()))),
            table.c.said_at > work.now - WAIT,
        )
        .order_by(table.c.session_id)
        .with_for_update()
    )


def _keep_traits(work: Work, traits: ByNobody) -> None:
    """Keep traits, over those that were said before under the same ids."""
    if traits:
        given = [{"session_id": name, "traits": each} for name, each in traits.items()]
        _keeping().rows(work.connection, values_of(work, given))


@prepared("keep_anonymous_traits")
def _keeping() -> Insert:
    given = given_rows({"session_id": Text(), "traits": JSONB()})
    table = anonymous_traits
    rows = select(ORG_ID, given.c.session_id, given.c.traits, NOW).order_by(given.c.session_id)
    new = insert(table).from_select([column.name for column in table.c], rows)
    is_over = table.c.said_at <= NOW - literal(WAIT)
    merged = case((is_over, new.excluded.traits), else_=table.c.traits.concat(new.excluded.traits))
    return new.on_conflict_do_update(
        index_elements=["org_id", "session_id"],
        set_={"traits": merged, "said_at": new.excluded.said_at},
    )


def _forget_traits(work: Work, session_ids: Iterable[str]) -> None:
    """Delete what is kept under these ids: it belongs to a user now."""
    gone = sorted(session_ids)
    if gone:
        work.connection.execute(_forget(work, gone))


@statement("forget_anonymous_traits")
def _forget(work: Work, session_ids: list[str]) -> Delete:
    table = anonymous_traits
    mine = table.c.session_id == any_(literal(session_ids, ARRAY(Text())))
    return delete(table).where(table.c.org_id == work.org_id, mine)

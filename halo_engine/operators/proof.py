"""Prove who calls by an operator key; the result is cached for a second (contract §12)."""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy
from sqlalchemy import Select, Update, func, select, update

from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, unauthorized
from halo_engine.domain.roles import Role
from halo_engine.domain.values import is_storable_text
from halo_engine.operators.keys import hash_of, prefix_of
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import operator_keys

#: In seconds; a key that was revoked may still work for so long.
REMEMBERED: Final = 1.0
#: How many keys a process caches.
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a key: the key's organisation, id, name and role."""

    org_id: UUID
    key_id: UUID
    name: str
    role: Role


class _Remembered(NamedTuple):
    holder: Holder
    read_at: float


@dataclass(frozen=True)
class Keyring:
    """This process's cache of operator keys.

    ``clock`` gives the current instant; None is the database's own clock. ``monotonic`` counts the
    seconds for which a key is cached. Threads may share it.
    """

    database: sqlalchemy.Engine
    clock: Callable[[], datetime] | None = None
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[bytes, _Remembered] = field(default_factory=dict, init=False, repr=False)

    def remembered(self, key: str) -> Holder | None:
        """Return the holder of ``key`` if it was read less than a second ago; else None."""
        known = self._known.get(hash_of(key))
        if known is None or self.monotonic() - known.read_at >= REMEMBERED:
            return None
        return known.holder

    def holder(self, key: str) -> Holder:
        """Return the holder of ``key``; raises a 401 for one that is unknown, expired or revoked.

        A key is read again after a second. Its use is noted to the minute.
        """
        if (known := self.remembered(key)) is not None:
            return known
        hashed = hash_of(key)
        # Before the key is read, so that a revocation in between counts a second later.
        read_at = self.monotonic()
        try:
            found = run_in_transaction(
                self.database, lambda connection: self._read(connection, key, hashed)
            )
        except Refusal:
            self._known.pop(hashed, None)
            raise
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = _Remembered(found, read_at)
        return found

    def _read(self, connection: sqlalchemy.Connection, key: str, hashed: bytes) -> Holder:
        prefix = prefix_of(key)
        rows = (
            _reading().rows(connection, {"key_prefix": prefix}) if is_storable_text(prefix) else []
        )
        if not rows or not hmac.compare_digest(rows[0]["hash"], hashed):
            raise unauthorized("unknown_key", "The operator key is unknown.")
        [row] = rows
        now = self.clock() if self.clock else row["clock"]
        if row["revoked_at"] is not None:
            raise unauthorized("revoked_key", "The operator key was revoked.")
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise unauthorized("expired_key", "The operator key has expired.")
        minute = now.replace(second=0, microsecond=0)
        if row["last_used_at"] is None or row["last_used_at"] < minute:
            connection.execute(_note_use(row["org_id"], row["id"], minute))
        return Holder(row["org_id"], row["id"], row["name"], Role(row["role"]))


@statement("note_use_of_key")
def _note_use(org_id: UUID, key_id: UUID, now: datetime) -> Update:
    table = operator_keys
    used = update(table).where(table.c.org_id == org_id, table.c.id == key_id)
    return used.values(last_used_at=now)


@prepared("find_key")
def _reading() -> Select[Any]:
    table = operator_keys
    return select(table, func.clock_timestamp().label("clock")).where(
        table.c.prefix == parameter("key_prefix")
    )

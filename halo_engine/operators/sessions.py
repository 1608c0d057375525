"""Sessions of the panel: a person signs in by an operator key, or by a link (contract §17).

A session's id is 256 random bits that the browser keeps; what is stored is their SHA-256. A session
ends with its key, when the key is revoked or expires.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
)

from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal, unauthorized
from halo_engine.domain.roles import Role
from halo_engine.opening import open_work
from halo_engine.operators.keys import CreateKeyCall, create_key, hash_of
from halo_engine.operators.proof import Holder, Keyring
from halo_engine.sql.metadata import INSTANT
from halo_engine.sql.statements import statement
from halo_engine.tables import operator_keys, operator_sessions, organizations, sign_in_links
from halo_engine.work import OrgRef, Work

#: A session ends after so long at the latest.
LONGEST_SESSION: Final = timedelta(hours=12)
#: A link signs in for so long, once.
LINK_LASTS: Final = timedelta(minutes=10)
#: The name of the keys that links sign in with, in the list of keys and the audit log.
LINK_NAME: Final = "halo up"
_ID_BYTES: Final = 32
_CLOCK: Final = func.clock_timestamp(type_=INSTANT)


@dataclass(frozen=True, slots=True)
class Session:
    """A session under way: who signed in, the organisation's name and zone, and when it ends."""

    holder: Holder
    organization: str
    timezone: str
    ends_at: datetime


@dataclass(frozen=True)
class Sessions:
    """The sessions in a database.

    ``clock`` gives the current instant; None is the database's own clock.
    """

    database: sqlalchemy.Engine
    keyring: Keyring
    clock: Callable[[], datetime] | None = None

    def sign_in(self, key: str) -> str:
        """Begin a session by an operator key; return its id, which is stored nowhere.

        Raises a 401 for a key that is unknown, expired or revoked, and for an application's.
        """
        holder = self.keyring.holder(key)
        if holder.role is Role.INGEST:
            said = "a key of role ingest; allowed is viewer, editor or admin"
            raise unauthorized("wrong_key", f"key: is {said}")
        return run_in_transaction(
            self.database, lambda connection: self._begin(connection, holder.org_id, holder.key_id)
        )

    def follow(self, token: str) -> str:
        """Begin an admin's session by a link, which works once; return the session's id.

        Raises a 401 for a link that was used, is too old, or is none.
        """

        def begin(connection: Connection) -> str:
            org_id = connection.scalar(_use_link(hash_of(token), self._now))
            if org_id is None:
                problem = "The link was used already, or is older than ten minutes."
                raise unauthorized("bad_link", problem)
            work = open_work(connection, OrgRef(id=org_id), self.clock() if self.clock else None)
            return self._begin(connection, org_id, _key_of_link(work))

        return run_in_transaction(self.database, begin)

    def find(self, session: str) -> Session:
        """Return a session by its id; raises a 401 if it has ended, or never began."""
        found = run_in_transaction(
            self.database,
            lambda connection: connection.execute(
                _find_session(hash_of(session), self._now)
            ).one_or_none(),
        )
        if found is None:
            raise session_required()
        holder = Holder(found.org_id, found.key_id, found.name, Role(found.role))
        return Session(holder, found.organization, found.timezone, found.ends_at)

    def end(self, session: str) -> None:
        """End a session, if there is one."""
        run_in_transaction(
            self.database, lambda connection: connection.execute(_end_session(hash_of(session)))
        )

    @property
    def _now(self) -> ColumnElement[datetime]:
        return literal(self.clock()) if self.clock else _CLOCK

    def _begin(self, connection: Connection, org_id: UUID, key_id: UUID) -> str:
        now = self._now
        connection.execute(_delete_ended_sessions(org_id, now))
        session = secrets.token_urlsafe(_ID_BYTES)
        connection.execute(_begin_session(org_id, key_id, hash_of(session), now))
        return session


def session_required() -> Refusal:
    """Make the 401 for a page without a session."""
    return unauthorized("session_required", "Sign in: there is no session, or it has ended.")


def make_link(work: Work) -> str:
    """Return the token of a new link that signs in as an admin of the organisation."""
    token = secrets.token_urlsafe(_ID_BYTES)
    work.connection.execute(_delete_old_links(work))
    work.connection.execute(_make_link(work, hash_of(token)))
    return token


def _key_of_link(work: Work) -> UUID:
    """Make a key whose secret nobody knows: with it the session is listed, and may be ended."""
    call = CreateKeyCall(role=Role.ADMIN, name=LINK_NAME)
    return create_key(work, call.model_copy(update={"expires": LONGEST_SESSION})).id


@statement("begin_session", now=_CLOCK)
def _begin_session(
    org_id: UUID, key_id: UUID, key_hash: bytes, now: ColumnElement[datetime]
) -> Insert:
    row = {"org_id": org_id, "key_id": key_id, "hash": key_hash}
    until = {"created_at": now, "expires_at": now + LONGEST_SESSION}
    return insert(operator_sessions).values({**row, **until})


@statement("find_session", now=_CLOCK)
def _find_session(key_hash: bytes, now: ColumnElement[datetime]) -> Select[Any]:
    session, key, org = operator_sessions, operator_keys, organizations
    its_key = and_(key.c.org_id == session.c.org_id, key.c.id == session.c.key_id)
    # Without NULLs: a key that has no end does not end the session.
    ends_at = func.least(session.c.expires_at, key.c.expires_at)
    return (
        select(
            *(session.c.org_id, session.c.key_id, key.c.name, key.c.role),
            org.c.name.label("organization"),
            org.c.timezone,
            ends_at.label("ends_at"),
        )
        .select_from(session.join(key, its_key).join(org, org.c.id == session.c.org_id))
        .where(session.c.hash == key_hash, key.c.revoked_at.is_(None), ends_at > now)
    )


@statement("end_session")
def _end_session(key_hash: bytes) -> Delete:
    return delete(operator_sessions).where(operator_sessions.c.hash == key_hash)


@statement("delete_ended_sessions", now=_CLOCK)
def _delete_ended_sessions(org_id: UUID, now: ColumnElement[datetime]) -> Delete:
    table = operator_sessions
    return delete(table).where(table.c.org_id == org_id, table.c.expires_at <= now)


@statement("make_link")
def _make_link(work: Work, key_hash: bytes) -> Insert:
    row = {"org_id": work.org_id, "hash": key_hash, "expires_at": work.now + LINK_LASTS}
    return insert(sign_in_links).values(row)


@statement("delete_old_links")
def _delete_old_links(work: Work) -> Delete:
    table = sign_in_links
    return delete(table).where(table.c.org_id == work.org_id, table.c.expires_at <= work.now)


@statement("use_link", now=_CLOCK)
def _use_link(key_hash: bytes, now: ColumnElement[datetime]) -> Any:
    table = sign_in_links
    used = delete(table).where(table.c.hash == key_hash, table.c.expires_at > now)
    return used.returning(table.c.org_id)


def only_organization(connection: Connection) -> str | None:
    """Return the key of the organisation if there is one alone."""
    found = connection.scalars(_first_organizations()).all()
    return found[0] if len(found) == 1 else None


@statement("read_first_organizations")
def _first_organizations() -> Select[Any]:
    return select(organizations.c.key).limit(2)

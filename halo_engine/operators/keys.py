"""Operator keys: made, listed, revoked (contract §12).

A key is ``hk_PREFIX_SECRET``. Only its hash is stored. The secret is 256 random bits, so a plain
SHA-256 is enough: there is nothing to guess.
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field
from sqlalchemy import Executable, Select, func, insert, select, update

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.answer import PAGE, Answer, PageLimit
from halo_engine.domain.errors import bad_input, not_found
from halo_engine.domain.roles import Role
from halo_engine.domain.times.durations import parse_duration
from halo_engine.domain.times.instants import Instant, format_instant
from halo_engine.sql.statements import statement
from halo_engine.tables import operator_keys
from halo_engine.work import Work

#: The beginning of operator keys, and of no other keys.
KEYS_BEGIN: Final = "hk_"
_PREFIX_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_PREFIX_LENGTH: Final = len(KEYS_BEGIN) + 2 * _PREFIX_BYTES


def _lifetime(value: object) -> object:
    if value is None:
        return None
    lifetime = parse_duration(value, "expires")
    if not lifetime:
        raise bad_input("expires", "is no time at all; allowed is 1s or longer, such as 90d")
    return lifetime


class CreateKeyCall(Call):
    """A new key's ``role``; when it ``expires``, counted from now (``90d``), never if unset; its
    name in the audit log, its prefix if unset.
    """

    role: Annotated[Role, Field(strict=False)]
    expires: Annotated[timedelta | None, BeforeValidator(_lifetime)] = None
    name: Identifier | None = None


class ListKeysCall(Call):
    """Which page of the keys: ``limit`` of them, after the key of that id."""

    # JSON has no UUIDs, only texts that are one.
    after: Annotated[UUID, Field(strict=False)] | None = None
    limit: PageLimit = PAGE


class RevokeKeyCall(Call):
    """The id of a key."""

    key: Annotated[UUID, Field(strict=False)]


class CreatedKey(Answer):
    """A new key; only this answer shows ``key`` itself."""

    id: UUID
    name: str
    role: Role
    key: str = Field(repr=False)
    prefix: str
    created_at: Instant
    expires_at: Instant | None


class KeyAnswer(Answer):
    """A key, without its secret; ``last_used_at`` is to the minute."""

    id: UUID
    name: str
    role: Role
    prefix: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None


class KeyPage(Answer):
    """A page of keys, the newest first; ``next`` is the ``after`` of the page that follows."""

    items: tuple[KeyAnswer, ...]
    next: UUID | None


_SHOWN: Final = [operator_keys.c[name] for name in KeyAnswer.model_fields]


def create_key(work: Work, call: CreateKeyCall) -> CreatedKey:
    """Make an operator key of the organisation; nobody can read it again later."""
    prefix = f"{KEYS_BEGIN}{secrets.token_hex(_PREFIX_BYTES)}"
    key = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    made = _create_key(work, call, prefix, hash_of(key))
    found = work.connection.execute(made).mappings().one()
    return CreatedKey.model_validate({**found, "key": key})


@statement("create_key", call=CreateKeyCall(role=Role.VIEWER))
def _create_key(work: Work, call: CreateKeyCall, key_prefix: str, key_hash: bytes) -> Executable:
    row = {
        "org_id": work.org_id,
        "name": call.name or key_prefix,
        "role": call.role,
        "prefix": key_prefix,
        "hash": key_hash,
        "created_at": work.now,
        "expires_at": None if call.expires is None else work.now + call.expires,
    }
    return insert(operator_keys).values(row).returning(*_SHOWN)


def list_keys(work: Work, call: ListKeysCall) -> KeyPage:
    """Return a page of the organisation's keys, revoked and expired ones too."""
    rows = work.connection.execute(_page_keys(work, call.after, call.limit + 1))
    keys = [KeyAnswer.model_validate(dict(row)) for row in rows.mappings()]
    more = len(keys) > call.limit
    return KeyPage(items=tuple(keys[: call.limit]), next=keys[call.limit - 1].id if more else None)


@statement("page_keys")
def _page_keys(work: Work, after: UUID | None, limit: int) -> Select[Any]:
    table = operator_keys
    found = select(*_SHOWN).where(table.c.org_id == work.org_id)
    if after is not None:
        found = found.where(table.c.id < after)
    return found.order_by(table.c.id.desc()).limit(limit)


def revoke_key(work: Work, call: RevokeKeyCall) -> KeyAnswer:
    """Revoke a key; one that was revoked before stays as it is.

    Raises 404 for an unknown one.
    """
    found = work.connection.execute(_revoke_key(work, call.key)).mappings().one_or_none()
    if found is None:
        raise not_found("key", str(call.key))
    return KeyAnswer.model_validate(dict(found))


@statement("revoke_key")
def _revoke_key(work: Work, key_id: UUID) -> Executable:
    table = operator_keys
    revoked = (
        update(table)
        .where(table.c.org_id == work.org_id, table.c.id == key_id)
        .values(revoked_at=func.coalesce(table.c.revoked_at, work.now))
    )
    return revoked.returning(*_SHOWN)


def revoked_at(work: Work, key_id: UUID) -> str | None:
    """Return when a key was revoked, as JSON shows it."""
    at = work.connection.scalar(_read_revoked_at(work, key_id))
    return None if at is None else format_instant(at)


@statement("read_revoked_at")
def _read_revoked_at(work: Work, key_id: UUID) -> Select[Any]:
    return select(operator_keys.c.revoked_at).where(
        operator_keys.c.org_id == work.org_id, operator_keys.c.id == key_id
    )


def prefix_of(key: str) -> str:
    """Return the part of a key by which it is found."""
    return key[:_PREFIX_LENGTH]


def hash_of(key: str) -> bytes:
    """Return what is stored of a key."""
    return sha256(key.encode(errors="surrogatepass")).digest()

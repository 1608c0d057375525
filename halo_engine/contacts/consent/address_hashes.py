"""Suppressions of erased addresses: kept as keyed hashes, restored if an address returns (§3).

The hash is HMAC-SHA256 of the address in lower case, under the organisation's own key. The database
computes it, so that writing a contact is still one statement.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Executable,
    FromClause,
    LargeBinary,
    Text,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from halo_engine.contacts.parameters import ORG_ID
from halo_engine.sql.parameters import parameter
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import erased_suppressions, organizations, suppressions
from halo_engine.work import Work

KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64

_INNER: ColumnElement[bytes] = parameter("hash_inner")
_OUTER: ColumnElement[bytes] = parameter("hash_outer")


class Suppression(NamedTuple):
    """An address that gets no mail, and since when for which cause."""

    address: str
    bounced_at: datetime | None
    unsubscribed_at: datetime | None
    complained_at: datetime | None


#: The causes of a suppression: each is a column that holds the instant.
CAUSES: Final = Suppression._fields[1:]


def hash_of(address: str, key: bytes) -> bytes:
    """Return the hash of an address in the database's lower case."""
    return hmac.digest(key, address.encode(), hashlib.sha256)


def keep_hashes(work: Work, kept: Collection[Suppression]) -> None:
    """Keep suppressions of addresses that are erased; the first one makes the organisation's key.

    Two statements, or none without suppressions.
    """
    if not kept:
        return
    work.connection.execute(_keep_address_hashes(work, kept, _key(work)))


@statement("keep_address_hashes")
def _keep_address_hashes(
    work: Work, kept: Collection[Suppression], address_key: bytes
) -> Executable:
    given = rows_of(
        "kept",
        {
            "address_hash": (LargeBinary(), [hash_of(each.address, address_key) for each in kept]),
            **{
                name: (DateTime(timezone=True), [getattr(each, name) for each in kept])
                for name in CAUSES
            },
        },
    )
    columns = ["org_id", "address_hash", *CAUSES]
    rows = select(literal(work.org_id), given).order_by(given.c.address_hash)
    return _and_causes(insert(erased_suppressions).from_select(columns, rows))


def _key(work: Work) -> bytes:
    key: bytes = work.connection.execute(
        _make_address_key(work, secrets.token_bytes(KEY_BYTES))
    ).scalar_one()
    return key


@statement("make_address_key")
def _make_address_key(work: Work, address_key: bytes) -> Executable:
    made = (
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(
            address_key=func.coalesce(
                organizations.c.address_key, literal(address_key, LargeBinary())
            )
        )
    )
    return made.returning(organizations.c.address_key)


def hash_parameters(key: bytes) -> Mapping[str, bytes]:
    """Return the parameters that ``suppress_again`` needs: the padded keys of HMAC (RFC 2104)."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return {
        "hash_inner": bytes(byte ^ 0x36 for byte in block),
        "hash_outer": bytes(byte ^ 0x5C for byte in block),
    }


def suppress_again(written: FromClause) -> tuple[CTE, CTE]:
    """Restore suppressions of erased addresses: CTEs to add to the statement that writes contacts.

    ``written`` has the ``address`` of each. The hash is deleted, so a suppression that is lifted
    later stays lifted.
    """
    table = erased_suppressions
    known = (
        delete(table)
        .where(table.c.org_id == ORG_ID, table.c.address_hash == _hash(written.c.address))
        .returning(written.c.address, *[table.c[name] for name in CAUSES])
        .cte("known_again")
    )
    rows = select(ORG_ID, known.c.address, *[known.c[name] for name in CAUSES]).order_by(
        known.c.address
    )
    new = insert(suppressions).from_select(["org_id", "address", *CAUSES], rows)
    return known, _and_causes(new).cte("suppressed_again")


def _hash(address: ColumnElement[Any]) -> ColumnElement[bytes]:
    text = func.convert_to(address, literal("UTF8", Text()))
    inner = func.sha256(_INNER.op("||")(text))
    return func.sha256(_OUTER.op("||")(inner), type_=LargeBinary())


def _and_causes(new: Any) -> Insert:
    """Merge the causes of a row that exists; of each the first instant is kept."""
    table = new.table
    merged: Insert = new.on_conflict_do_update(
        index_elements=table.primary_key.columns,
        set_={name: func.coalesce(table.c[name], new.excluded[name]) for name in CAUSES},
    )
    return merged

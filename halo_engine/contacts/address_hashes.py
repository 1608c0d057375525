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
    FromClause,
    LargeBinary,
    Text,
    bindparam,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.parameters import ORG_ID
from halo_engine.tables import erased_suppressions, organizations, suppressions
from halo_engine.tables.rows import rows_of
from halo_engine.work import Work

KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64

_INNER: ColumnElement[bytes] = bindparam("hash_inner", type_=LargeBinary())
_OUTER: ColumnElement[bytes] = bindparam("hash_outer", type_=LargeBinary())


class Suppression(NamedTuple):
    """An address that gets no mail, and since when for which cause."""

    address: str
    bounced_at: datetime | None
    unsubscribed_at: datetime | None
    complained_at: datetime | None


#: Why an address is suppressed: the columns that say since when.
CAUSES: Final = Suppression._fields[1:]


def hash_of(address: str, key: bytes) -> bytes:
    """Return the hash of an address, which is in lower case as the database has it."""
    return hmac.digest(key, address.encode(), hashlib.sha256)


def keep_hashes(work: Work, kept: Collection[Suppression]) -> None:
    """Keep suppressions whose addresses are erased; the organisation gets its key with the first.

    Two statements; none where there are none.
    """
    if not kept:
        return
    key = _key(work)
    given = rows_of(
        "kept",
        {
            "address_hash": (LargeBinary(), [hash_of(each.address, key) for each in kept]),
            **{
                name: (DateTime(timezone=True), [getattr(each, name) for each in kept])
                for name in CAUSES
            },
        },
    )
    columns = ["org_id", "address_hash", *CAUSES]
    rows = select(literal(work.org_id), given).order_by(given.c.address_hash)
    work.connection.execute(_and_causes(insert(erased_suppressions).from_select(columns, rows)))


def _key(work: Work) -> bytes:
    made = (
        update(organizations)
        .where(organizations.c.id == work.org_id)
        .values(
            address_key=func.coalesce(
                organizations.c.address_key, literal(secrets.token_bytes(KEY_BYTES), LargeBinary())
            )
        )
    )
    key: bytes = work.connection.execute(made.returning(organizations.c.address_key)).scalar_one()
    return key


def hash_parameters(key: bytes) -> Mapping[str, bytes]:
    """Return the parameters that ``suppress_again`` needs: the padded keys of HMAC (RFC 2104)."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return {
        "hash_inner": bytes(byte ^ 0x36 for byte in block),
        "hash_outer": bytes(byte ^ 0x5C for byte in block),
    }


def suppress_again(written: FromClause) -> tuple[CTE, CTE]:
    """Restore suppressions of erased addresses: CTEs to add to the statement that writes contacts.

    ``written`` has the ``address`` of each. The hash is deleted, so what is lifted stays lifted.
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


def _and_causes(new: Any) -> Any:
    """Merge the causes of a row that exists; of each the first instant is kept."""
    table = new.table
    return new.on_conflict_do_update(
        index_elements=table.primary_key.columns,
        set_={name: func.coalesce(table.c[name], new.excluded[name]) for name in CAUSES},
    )

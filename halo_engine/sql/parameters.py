"""The parameters of statements: one thing has the same name in every statement.

A statement that is built once has these as named parameters (``parameter``). One that is built for
each call has values instead; where it is shown, the values below stand for their names.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from halo_engine.sql.metadata import OrganizationId
from halo_engine.sql.rows import array_of


class Parameter(NamedTuple):
    """A parameter's type, and the value that stands for it where a statement is shown."""

    type: TypeEngine[Any]
    sample: Any


def _id(number: int) -> UUID:
    return UUID(int=0x5A << 120 | number)


def _at(hour: int) -> datetime:
    return datetime(2026, 1, 1, hour, tzinfo=UTC)


_INSTANT: Final = DateTime(timezone=True)
_IDS: Final = ARRAY(Uuid())
_NUMBERS: Final = ARRAY(BigInteger())
_TEXTS: Final = ARRAY(Text())

#: Every parameter there is, but for the columns of sets (``rows.rows_asked``).
PARAMETERS: Final[Mapping[str, Parameter]] = {
    # Whose, and when.
    "org_id": Parameter(OrganizationId(), _id(1)),
    "org_key": Parameter(Text(), "org-key"),
    "widget_key": Parameter(Text(), "widget-key"),
    "old_widget_key": Parameter(Text(), "old-widget-key"),
    "cell": Parameter(Text(), "cell-name"),
    "since_change": Parameter(BigInteger(), 8_001),
    "now": Parameter(_INSTANT, _at(1)),
    "since": Parameter(_INSTANT, _at(2)),
    "cut": Parameter(_INSTANT, _at(8)),
    "next_at": Parameter(_INSTANT, _at(9)),
    "instants": Parameter(ARRAY(_INSTANT), [_at(2)]),
    "sent_at": Parameter(_INSTANT, _at(3)),
    "entered_at": Parameter(_INSTANT, _at(4)),
    # About what.
    "contact_id": Parameter(Uuid(), _id(2)),
    "contact_ids": Parameter(_IDS, [_id(2)]),
    "lead_id": Parameter(Uuid(), _id(11)),
    "lead_ids": Parameter(_IDS, [_id(11)]),
    "company_id": Parameter(Uuid(), _id(3)),
    "series_id": Parameter(Uuid(), _id(4)),
    "series_ids": Parameter(_IDS, [_id(4)]),
    "series_key": Parameter(Text(), "series-key"),
    "series_keys": Parameter(_TEXTS, ["series-key"]),
    "step_id": Parameter(Uuid(), _id(5)),
    "waiting_step_ids": Parameter(array_of(Uuid()), [_id(5)]),
    "list_id": Parameter(Uuid(), _id(6)),
    "list_key": Parameter(Text(), "list-key"),
    "row_id": Parameter(BigInteger(), 2_001),
    "row_ids": Parameter(_NUMBERS, [2_001]),
    "signal_id": Parameter(BigInteger(), 3_001),
    "signal_ids": Parameter(_NUMBERS, [3_001]),
    "statuses": Parameter(_TEXTS, ["active", "paused"]),
    "given_rows": Parameter(JSONB(), [{"ordinal": 0}]),
    # Mail.
    "address": Parameter(Text(), "ann@halo.example"),
    "message_id": Parameter(Text(), "<message-id@halo.example>"),
    "message_ids": Parameter(_TEXTS, ["<message-id@halo.example>"]),
    "relay_id": Parameter(Text(), "relay-id"),
    "mail_state": Parameter(Text(), "failed"),
    "error": Parameter(Text(), "what went wrong"),
    "lease_token": Parameter(Uuid(), _id(7)),
    "hash_inner": Parameter(LargeBinary(), b"inner"),
    "hash_outer": Parameter(LargeBinary(), b"outer"),
    "mail_key": Parameter(LargeBinary(), b"key of the tokens in mails"),
    "address_hash": Parameter(LargeBinary(), b"hash of an address"),
    "address_key": Parameter(LargeBinary(), b"key of an organization"),
    # Keys of operators.
    "key_id": Parameter(Uuid(), _id(10)),
    "key_prefix": Parameter(Text(), "hk_0123456789abcdef"),
    "key_hash": Parameter(LargeBinary(), b"hash of a key"),
    # Webhooks.
    "endpoint_id": Parameter(Uuid(), _id(16)),
    "event_ids": Parameter(_NUMBERS, [7_016]),
    # The rest.
    "search": Parameter(Text(), "ann"),
    "contact_name": Parameter(Text(), "user-id"),
    "field_keys": Parameter(_TEXTS, ["plan"]),
    "upload_id": Parameter(Uuid(), _id(12)),
    "bytes_read": Parameter(BigInteger(), 5_001),
    "import_key": Parameter(Text(), "import-key"),
    "schema": Parameter(Text(), "halo_rehearsal_1"),
    "session_id": Parameter(Text(), "session-id"),
    "delivery_name": Parameter(LargeBinary(), b"hash of a delivery"),
    "session_ids": Parameter(_TEXTS, ["session-id"]),
    "message_keys": Parameter(_IDS, [_id(13)]),
    "call_ids": Parameter(_NUMBERS, [6_001]),
    "used_key": Parameter(Text(), "used-key"),
    "used_keys": Parameter(_TEXTS, ["idempotency-key"]),
    "lock_key": Parameter(Integer(), 4_001),
    "lock_keys": Parameter(ARRAY(Integer()), [4_001]),
    "by": Parameter(Text(), "who"),
    "limit": Parameter(Integer(), 500),
    "after_at": Parameter(_INSTANT, _at(5)),
    "after_id": Parameter(Uuid(), _id(8)),
    "last_at": Parameter(_INSTANT, _at(6)),
    "last_id": Parameter(Uuid(), _id(9)),
    "until": Parameter(_INSTANT, _at(7)),
}


def parameter(name: str) -> BindParameter[Any]:
    """Return the parameter of that name; each execution gives its value.

    Only for statements that are ``prepared``: in an UPDATE, SQLAlchemy takes a parameter that is
    named like a column for a value to set.
    """
    return bindparam(name, type_=PARAMETERS[name].type)

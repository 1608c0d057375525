"""Operator keys: what is shown of them, what is stored, and how they end (contract §12)."""

import re
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Text, cast, func, select

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.roles import Role, may
from halo_engine.operators.keys import (
    CreatedKey,
    CreateKeyCall,
    ListKeysCall,
    RevokeKeyCall,
    create_key,
    list_keys,
    revoke_key,
)
from halo_engine.tables import operator_keys
from halo_engine.work import Work
from tests.contacts.sandbox import NOW, new_organization, refused, rows


def make(work: Work, **given: Any) -> CreatedKey:
    """Make a key as a caller does."""
    return create_key(work, validated(CreateKeyCall, {"role": "editor", **given}, "keys.create"))


def test_answer_shows_the_key_once(work: Work) -> None:
    """The answer has the members that the contract names, and no other."""
    made = make(work, expires="90d", name="Deploy").model_dump(mode="json")
    assert re.fullmatch(r"hk_[0-9a-f]{12}_[\w-]{43}", made["key"])
    assert made == {
        "id": made["id"],
        "name": "Deploy",
        "role": "editor",
        "key": made["key"],
        "prefix": made["key"][:15],
        "created_at": "2026-06-01T09:00:00.000000+00:00",
        "expires_at": "2026-08-30T09:00:00.000000+00:00",
    }


def test_only_the_hash_is_stored(work: Work) -> None:
    """No column of the row has the key, or its secret half."""
    made = make(work)
    assert rows(work, operator_keys, "hash") == [(sha256(made.key.encode()).digest(),)]
    whole_row = cast(func.to_jsonb(operator_keys.table_valued()), Text)
    row = work.connection.scalar(select(whole_row).where(operator_keys.c.org_id == work.org_id))
    assert made.prefix in str(row)
    assert made.key[15:] not in str(row)


def test_a_key_has_a_name_and_lasts_for_ever_unless_told(work: Work) -> None:
    """By default a key is named by its prefix and does not expire."""
    made = make(work)
    assert (made.name, made.expires_at) == (made.prefix, None)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (
            {"role": "owner"},
            "bad_input",
            "keys.create.role: ‘owner’ is refused; allowed are viewer, editor, admin, ingest",
        ),
        ({}, "missing_key", "keys.create.role: is required"),
        (
            {"role": "admin", "expires": "soon"},
            "bad_duration",
            (
                "keys.create: expires: ‘soon’ is not a duration; allowed are a number of seconds,"
                " or a number with s, m, h or d such as 30m, 2h or 3d, up to 36500d"
            ),
        ),
        (
            {"role": "admin", "expires": "0d"},
            "bad_input",
            "keys.create: expires: is no time at all; allowed is 1s or longer, such as 90d",
        ),
        (
            {"role": "admin", "name": " "},
            "bad_id",
            "keys.create: name: ‘ ’ is refused; allowed are 1 to 255 characters, not blank",
        ),
    ],
)
def test_refused_keys(given: dict[str, Any], code: str, message: str) -> None:
    """The refusal names the field and what is allowed."""
    assert refused(CreateKeyCall, given, "keys.create") == (400, code, message)


def test_list_shows_every_key_but_not_what_proves_it(work: Work) -> None:
    """Keys are listed newest first, page by page, without key and hash."""
    made = [make(work, name=name) for name in ("first", "second", "third")]
    page = list_keys(work, ListKeysCall(limit=2))
    assert [each.name for each in page.items] == ["third", "second"]
    assert page.next == made[1].id
    rest = list_keys(work, ListKeysCall(after=page.next, limit=2))
    assert ([each.name for each in rest.items], rest.next) == (["first"], None)
    assert rest.items[0].model_dump(mode="json") == {
        "id": str(made[0].id),
        "name": "first",
        "role": "editor",
        "prefix": made[0].prefix,
        "created_at": "2026-06-01T09:00:00.000000+00:00",
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
    }


def test_revoking_keeps_the_first_instant(work: Work) -> None:
    """A key that is revoked again stays revoked since the first time."""
    made = make(work)
    assert revoke_key(work, RevokeKeyCall(key=made.id)).revoked_at == NOW
    later = Work(work.connection, work.org, NOW + timedelta(hours=1))
    assert revoke_key(later, RevokeKeyCall(key=made.id)).revoked_at == NOW


def test_keys_of_another_organisation_are_unknown(work: Work) -> None:
    """Keys of another organisation are neither listed nor revoked."""
    other = new_organization(work.connection)
    theirs = make(other)
    assert list_keys(work, ListKeysCall()).items == ()
    for key in (theirs.id, uuid4()):
        with pytest.raises(Refusal) as refusal:
            revoke_key(work, RevokeKeyCall(key=key))
        assert (refusal.value.status, refusal.value.code) == (404, "unknown_key")
    assert rows(other, operator_keys, "revoked_at") == [(None,)]


def test_what_each_role_may() -> None:
    """A role may do what lower roles may; an ingest key is apart."""
    assert {role: [needed.value for needed in Role if may(role, needed)] for role in Role} == {
        Role.VIEWER: ["viewer"],
        Role.EDITOR: ["viewer", "editor"],
        Role.ADMIN: ["viewer", "editor", "admin"],
        Role.INGEST: ["ingest"],
    }

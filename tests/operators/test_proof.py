"""What an operator key proves; a process caches it for a second (contract §12)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, select

from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreatedKey, CreateKeyCall, RevokeKeyCall, create_key
from halo_engine.operators.keys import revoke_key as revoke
from halo_engine.operators.proof import Holder, Keyring
from halo_engine.tables import operator_keys
from halo_engine.work import OrgRef
from tests.contacts.sandbox import NOW, committed_organization, committing, statements


@dataclass
class Ground:
    """A committed organisation with a key, and a process that knows nothing of it yet."""

    database: Engine
    org: OrgRef
    made: CreatedKey
    now: datetime = NOW
    seconds: float = 0.0
    keyring: Keyring = field(init=False)

    def __post_init__(self) -> None:
        self.keyring = self.another_process()

    @property
    def org_id(self) -> UUID:
        """The organisation's id."""
        assert self.org.id is not None
        return self.org.id

    def another_process(self) -> Keyring:
        """Return a keyring that shares nothing but the database and the clock."""
        return Keyring(self.database, lambda: self.now, lambda: self.seconds)

    def revoke(self) -> None:
        """Revoke the key, as another process does."""
        committing(self.database, self.org)(
            lambda work: revoke(work, RevokeKeyCall(key=self.made.id))
        )

    def refused(self, key: str) -> tuple[int, str]:
        """Return status and code of the refusal that the key meets."""
        with pytest.raises(Refusal) as refusal:
            self.keyring.holder(key)
        return refusal.value.status, refusal.value.code

    @property
    def last_used_at(self) -> Any:
        """When the key was used last, as it is stored."""
        found = select(operator_keys.c.last_used_at).where(operator_keys.c.id == self.made.id)
        with self.database.connect() as connection:
            return connection.scalar(found)


@pytest.fixture
def ground(shared_database: Engine) -> Iterator[Ground]:
    """A key that lasts a day."""
    org = committed_organization(shared_database)
    call = CreateKeyCall.model_validate({"role": "editor", "expires": "1d", "name": "Deploy"})
    made = committing(shared_database, org)(lambda work: create_key(work, call))
    yield Ground(shared_database, org, made)
    with shared_database.begin() as connection:
        connection.execute(delete(operator_keys).where(operator_keys.c.org_id == org.id))


def test_a_key_proves_its_holder(ground: Ground) -> None:
    """A key proves organisation, id, name and role."""
    proved = Holder(ground.org_id, ground.made.id, "Deploy", Role.EDITOR)
    assert ground.keyring.holder(ground.made.key) == proved


def test_a_key_that_is_wrong_somewhere_is_unknown(ground: Ground) -> None:
    """A key with a known prefix and a wrong rest is answered as an unknown one."""
    key = ground.made.key
    last = "A" if key[-1] != "A" else "B"
    wrong = (
        "",
        "hk_",
        ground.made.prefix,
        key[:-1],
        key[:-1] + last,
        key + "A",
        "hk_\0",
        "hk_\ud800",
    )
    assert {each: ground.refused(each) for each in wrong} == dict.fromkeys(
        wrong, (401, "unknown_key")
    )
    assert ground.last_used_at is None


def test_a_known_key_is_not_read_again_within_a_second(ground: Ground) -> None:
    """The first call reads it and notes its use; a thousand more cost no statement."""
    with statements(ground.database) as seen:
        for _ in range(1_000):
            ground.keyring.holder(ground.made.key)
    assert len(seen) == 2


def test_a_revocation_holds_everywhere_within_a_second(ground: Ground) -> None:
    """A process that has the key cached refuses it at its next reading, another one at once."""
    ground.keyring.holder(ground.made.key)
    ground.revoke()
    ground.seconds = 0.999
    ground.keyring.holder(ground.made.key)
    with pytest.raises(Refusal, match="was revoked"):
        ground.another_process().holder(ground.made.key)
    ground.seconds = 1.0
    assert ground.refused(ground.made.key) == (401, "revoked_key")
    ground.seconds = 0.5
    assert ground.refused(ground.made.key) == (401, "revoked_key")


def test_a_key_expires(ground: Ground) -> None:
    """A key is valid until the instant of its expiry, and invalid at that instant."""
    ground.now = NOW + timedelta(days=1) - timedelta(microseconds=1)
    ground.keyring.holder(ground.made.key)
    ground.now, ground.seconds = NOW + timedelta(days=1), 1.0
    assert ground.refused(ground.made.key) == (401, "expired_key")


def test_its_use_is_noted_to_the_minute(ground: Ground) -> None:
    """A key's use is noted once a minute."""
    for ground.seconds, second in enumerate((0, 20, 59)):
        ground.now = NOW + timedelta(seconds=second)
        with statements(ground.database) as seen:
            ground.keyring.holder(ground.made.key)
        assert len(seen) == (2 if second == 0 else 1)
    assert ground.last_used_at == NOW
    ground.now, ground.seconds = NOW + timedelta(seconds=60), 9.0
    ground.keyring.holder(ground.made.key)
    assert ground.last_used_at == NOW + timedelta(minutes=1)


def test_keys_are_revoked_first_when_their_organisation_is_erased(ground: Ground) -> None:
    """After the first page only an admin can call, who may have to call the erasure again; at the
    end no key is known.
    """
    transact = committing(ground.database, ground.org)
    call = CreateKeyCall(role=Role.ADMIN)
    admin = transact(lambda work: create_key(work, call)).key
    transact(lambda work: create_list(work, "news"))
    pages = erase_organization(transact, page=1)
    next(pages)
    assert ground.refused(ground.made.key) == (401, "revoked_key")
    assert ground.another_process().holder(admin).role is Role.ADMIN
    assert sum(pages) > 1
    assert ground.refused(ground.made.key) == ground.refused(admin) == (401, "unknown_key")

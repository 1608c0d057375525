"""Sets of several organisations that go as one transaction: none holds up another (§12)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy
from sqlalchemy import select, update

from halo_engine.contacts.identifying.identify import IDENTIFY_SET, IdentifyAnswer, IdentifyCall
from halo_engine.domain.errors import Refusal
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.sets import Outcome, SetCall
from halo_engine.tables import end_users, organizations, signals
from halo_engine.work import OrgRef
from tests.contacts.sandbox import NOW, committed_organization
from tests.pipeline.sandbox import counted_statements


class Site:
    """An engine, two organisations that it knows from a call, and for whom it rang since."""

    def __init__(self, database: sqlalchemy.Engine) -> None:
        self.database = database
        self.rung: list[UUID] = []
        post = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
        self.engine = Engine(database, post, clock=lambda: NOW, ring=self.rung.append)
        self.one, self.other = (committed_organization(database) for _ in range(2))
        for org in (self.one, self.other):
            self.engine.perform_set(org, [_call("first")])
        self.rung.clear()

    def together(self, *sets: Sequence[SetCall]) -> list[list[Outcome]]:
        """Let sets of both organisations go together."""
        return self.engine.perform_together([*zip((self.one, self.other), sets, strict=True)])

    def plans(self, org: OrgRef) -> dict[str, Any]:
        """Return the plan of each of the organisation's users."""
        found = select(end_users.c.external_id, end_users.c.custom_fields["plan"].astext)
        with self.database.connect() as connection:
            rows = connection.execute(found.where(end_users.c.org_id == org.id)).all()
        return {user: plan for user, plan in rows}  # noqa: C416 -- rows are no tuples to mypy


@pytest.fixture
def site(shared_database: sqlalchemy.Engine) -> Site:
    """Two organisations whose calls may go together."""
    return Site(shared_database)


def _call(user_id: str, plan: str = "pro", **fields: Any) -> SetCall:
    traits = {"email": f"{user_id}@acme.example", "plan": plan, **fields.pop("traits", {})}
    return SetCall(IDENTIFY_SET, IdentifyCall(user_id=user_id, traits=traits, **fields))


def test_each_writes_in_its_own_organisation(site: Site) -> None:
    """The same user and address in two organisations are two contacts, each with its signal and
    answer.
    """
    [[ann, first], [other_ann]] = site.together(
        [_call("ann"), _call("first", "free")], [_call("ann", "trial")]
    )
    assert [ann.created, first.created, other_ann.created] == [True, False, True]
    assert ann.id != other_ann.id
    assert site.plans(site.one) == {"ann": "pro", "first": "free"}
    assert site.plans(site.other) == {"ann": "trial", "first": "pro"}
    with site.database.connect() as connection:
        told = connection.execute(
            select(signals.c.org_id).where(signals.c.end_user_id.in_([ann.id, other_ann.id]))
        )
        assert {*told.scalars()} == {site.one.id, site.other.id}


def test_they_are_one_round_trip_of_three_statements(site: Site) -> None:
    """Any number of organisations and calls is one round trip of three statements; the caller
    rings.
    """
    with counted_statements(site.database) as seen:
        site.together([_call(f"a{number}") for number in range(20)], [_call("b")])
    assert len(seen) == 3
    assert site.rung == []
    site.engine.ring_for(site.one)
    assert site.rung == [site.one.id]


@pytest.mark.parametrize(
    "needs_more",
    [
        _call("ann", session_id="s1"),
        _call("ann", traits={"new_field": 1}),
        _call("ann", traits={"email": 5}),
    ],
    ids=["a session", "a new field", "a refusal"],
)
def test_a_call_that_needs_more_than_one_trip_is_left_out(site: Site, needs_more: SetCall) -> None:
    """A call that needs more than one round trip has no outcome and writes nothing; the others are
    done.
    """
    [[left], [done]] = site.together([needs_more], [_call("bob")])
    assert left is None
    assert isinstance(done, IdentifyAnswer)
    assert "ann" not in site.plans(site.one)
    assert "bob" in site.plans(site.other)


def test_an_organisation_that_has_changed_is_left_out(site: Site) -> None:
    """Calls of an organisation whose cached settings are outdated are left out, and meet the new
    settings alone.
    """
    with site.database.begin() as connection:
        connection.execute(
            update(organizations)
            .where(organizations.c.id == site.one.id)
            .values(identity_secret="s" * 32)
        )
    [[left], [done]] = site.together([_call("ann")], [_call("bob")])
    assert left is None
    assert isinstance(done, IdentifyAnswer)
    [refused] = site.engine.perform_set(site.one, [_call("ann")])
    assert isinstance(refused, Refusal)
    assert refused.code == "user_token_required"


def test_a_lock_holds_up_its_own_organisation_alone(site: Site) -> None:
    """A set that meets a lock writes nothing, and the other organisation's calls do not wait."""
    mine = select(end_users.c.id).where(end_users.c.org_id == site.one.id).with_for_update()
    with site.database.begin() as holder:
        holder.execute(mine)
        assert site.together([_call("first", "free")], [_call("bob")]) == [[None], [None]]
        [done] = site.engine.perform_set(site.other, [_call("bob")])
        assert isinstance(done, IdentifyAnswer)
    [done] = site.engine.perform_set(site.one, [_call("first", "free")])
    assert site.plans(site.one) == {"first": "free"}

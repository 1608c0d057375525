"""The audit log: every change by an operator leaves a row, by any way in (§12)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.operators.audit import AuditPage, AuditRow, ListAuditCall, list_audit
from halo_engine.operators.origin import Origin, Via
from halo_engine.pipeline.due import PostOffice
from halo_engine.work import OrgRef, Work
from tests.contacts.sandbox import NOW, committed_organization

SECRET = "a secret of thirty-two bytes or more"
EVE = Origin("eve", Via.HTTP, address="192.0.2.7", request_id="r-1")
HELLO = {"key": "hello", "email": {"subject": "Hello", "body": "Hello"}}
WELCOME = {"entry_trigger": "user_created", "steps": [HELLO]}


@dataclass
class Ground:
    """An organisation with the users ann and bob, on an engine whose clock stands still."""

    engine: Engine
    org: OrgRef

    def use(self, door: str, origin: Origin = EVE, **fields: Any) -> Any:
        """Use a door as eve does over HTTP, or as somebody else."""
        return DOORS[door].run(self.engine, self.org, DOORS[door].read(fields), origin)

    def perform(self, action: Callable[[Work], Any]) -> Any:
        """Run something that no operator asked for."""
        return self.engine.perform(self.org, action)

    def log(self, **asked: Any) -> AuditPage:
        """Return a page of the log."""
        return self.engine.ask(self.org, lambda work: list_audit(work, ListAuditCall(**asked)))

    def entries(self) -> list[tuple[Any, ...]]:
        """Return action, target, before and after of each row, the oldest first."""
        rows = reversed(self.log().items)
        return [(each.action, each.target, each.before, each.after) for each in rows]

    def contact(self, name: str) -> str:
        """Return the id of a user."""
        return str(self.use("contacts.show", contact=name).id)


@pytest.fixture
def ground(shared_database: Database) -> Ground:
    """An organisation of the test's own."""
    org = committed_organization(shared_database, "ann", "bob")
    post = PostOffice(MemoryTransport(), Sender("Test", "test@halo.example"))
    return Ground(Engine(shared_database, post, clock=lambda: NOW), org)


def test_a_row_says_who_did_what_from_where(ground: Ground) -> None:
    """A row has the members that the contract names, and no other."""
    ground.use("series.apply", series={"welcome": WELCOME})
    ground.use("series.activate", series="welcome")
    assert ground.log().items[0].model_dump(mode="json") == {
        "at": "2026-06-01T09:00:00.000000+00:00",
        "by": "eve",
        "via": "http",
        "action": "series.activate",
        "target": "welcome",
        "address": "192.0.2.7",
        "request_id": "r-1",
        "before": {"status": "draft"},
        "after": {"status": "active"},
    }


def test_each_status_of_a_series_is_told(ground: Ground) -> None:
    """Each change of a series' status leaves one row, also a stop of many transactions."""
    ground.use("series.apply", series={"welcome": WELCOME})
    for verb in ("activate", "pause", "resume", "stop"):
        ground.use(f"series.{verb}", series="welcome")
    assert [(action, after) for action, _, _, after in ground.entries()[1:]] == [
        ("series.activate", {"status": "active"}),
        ("series.pause", {"status": "paused"}),
        ("series.resume", {"status": "active"}),
        ("series.stop", {"status": "completed"}),
    ]


def test_a_save_tells_field_by_field_what_differs(ground: Ground) -> None:
    """A save's row has each field that differs; an equal save and a dry run leave none."""
    ground.use("series.apply", series={"welcome": WELCOME})
    longer = {**WELCOME, "kind": "marketing", "steps": [{**HELLO, "delay": "2d"}]}
    ground.use("series.apply", series={"welcome": longer}, dry_run=True)
    ground.use("series.apply", series={"welcome": longer, "other": WELCOME})
    ground.use("series.apply", series={"welcome": longer})
    assert ground.entries()[1:] == [
        (
            "series.apply",
            "welcome",
            {"kind": "transactional", "steps.hello.delay": "0"},
            {"kind": "marketing", "steps.hello.delay": "2d"},
        ),
        ("series.apply", "other", ground.entries()[2][2], ground.entries()[2][3]),
    ]


def test_many_series_are_tried_without_a_trace(ground: Ground) -> None:
    """The trial run of a file leaves no row; each saved series leaves one."""
    ground.use("series.apply", series={f"s{number}": WELCOME for number in range(51)})
    assert len(ground.entries()) + len(ground.log(after=1).items) == 50
    assert len(ground.log(limit=200).items) == 51


def test_a_contact_is_named_by_its_id_alone(ground: Ground) -> None:
    """A row names a contact by its id alone, so nothing personal is left after an erasure."""
    ann = ground.contact("ann")
    ground.use("lists.save", list="news")
    ground.use("lists.subscribe", contact="ann", list="news")
    ground.use("contacts.add", email="cyd@a.example", traits={"name": "Cyd"})
    cyd = ground.contact("cyd@a.example")
    ground.use("contacts.erase", contact="ann")
    assert [entry[:2] for entry in ground.entries()] == [
        ("lists.save", "news"),
        ("lists.subscribe", ann),
        ("contacts.add", cyd),
        ("contacts.erase", ann),
    ]
    assert "cyd@" not in json.dumps([each.model_dump(mode="json") for each in ground.log().items])


def test_a_lifted_suppression_keeps_its_causes_and_why(ground: Ground) -> None:
    """A lifted suppression's row has its causes and the reason; lifting nothing leaves none."""
    ann = ground.contact("ann")
    ground.use("contacts.add", user_id="cyd", email="cyd@a.example")
    cyd = ground.contact("cyd")
    ground.perform(lambda work: bounce(work, BounceCall(contact="cyd")))
    for _ in range(2):
        ground.use("contacts.unsuppress", contact="cyd", because="asked by phone")
    assert ground.entries()[1:] == [
        (
            "contacts.unsuppress",
            cyd,
            {"bounced_at": "2026-06-01T09:00:00.000000+00:00"},
            {"because": "asked by phone"},
        )
    ]
    assert ann != cyd


def test_secrets_are_hidden(ground: Ground) -> None:
    """A row says that a secret changed, and shows neither the old nor the new one."""
    ground.use("organizations.change", identity_secret=SECRET, company_footer="Acme Inc")
    ground.use("organizations.change", identity_secret=SECRET[::-1])
    ground.use("organizations.change", identity_secret=None)
    ground.use("organizations.change", identity_secret="***", company_footer="Acme Inc")
    assert [row[2:] for row in ground.entries()] == [
        (
            {"identity_secret": None, "company_footer": None},
            {"identity_secret": "***", "company_footer": "Acme Inc"},
        ),
        ({"identity_secret": "***"}, {"identity_secret": "***"}),
        ({"identity_secret": "***"}, {"identity_secret": None}),
    ]


def test_a_key_is_told_without_what_proves_it(ground: Ground) -> None:
    """The row of a new key has name, role and expiry; a second revocation leaves none."""
    made = ground.use("keys.create", role="viewer", name="Board")
    for _ in range(2):
        ground.use("keys.revoke", key=str(made.id))
    assert ground.entries() == [
        (
            "keys.create",
            str(made.id),
            None,
            {"name": "Board", "role": "viewer", "prefix": made.prefix},
        ),
        (
            "keys.revoke",
            str(made.id),
            {"revoked_at": None},
            {"revoked_at": "2026-06-01T09:00:00.000000+00:00"},
        ),
    ]


def test_long_values_are_left_out(ground: Ground) -> None:
    """A row names a long field without its value, which stands in the definition."""
    long = {**HELLO, "email": {"subject": "Hello", "body": "x" * 2_000}}
    ground.use("series.apply", series={"welcome": WELCOME})
    ground.use("series.apply", series={"welcome": {**WELCOME, "steps": [long]}})
    [_, row] = ground.entries()
    assert row[2:] == ({"steps.hello.email.body": "Hello"}, {"steps.hello.email.body": "…"})


def test_what_is_refused_leaves_no_row(ground: Ground) -> None:
    """A refused change and one that is rolled back leave no row."""
    with pytest.raises(Refusal):
        ground.use("series.activate", series="nothing")
    with pytest.raises(Refusal):
        ground.use("series.apply", series={"bad key": WELCOME})
    assert ground.entries() == []


def test_an_applications_call_leaves_no_row(ground: Ground) -> None:
    """A call by the widget key is no operator's, so it leaves no row."""
    app = Origin("app", Via.APP)
    ground.use("identify", app, user_id="dee")
    ground.perform(lambda work: create_list(work, "news"))
    ground.use("lists.subscribe", app, contact="dee", list="news")
    ground.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    assert ground.entries() == []


def test_a_stop_of_all_mail_stands_in_every_log(ground: Ground, shared_database: Database) -> None:
    """A stop of all mail is in every organisation's log; a stop of one organisation is in its log
    alone.
    """
    other = replace(ground, org=committed_organization(shared_database))
    ground.use("sending.stop")
    stop, start = DOORS["sending.stop"], DOORS["sending.start"]
    stop.run(ground.engine, None, stop.read({}), EVE)
    start.run(ground.engine, None, start.read({}), EVE)
    assert ground.entries() == [
        ("sending.stop", None, {"stopped_by": None}, {"stopped_by": "eve"}),
        ("sending.stop", None, None, None),
        ("sending.start", None, None, None),
    ]
    assert [row[0] for row in other.entries()] == ["sending.stop", "sending.start"]


def test_the_log_is_paged_newest_first(ground: Ground) -> None:
    """Each row is on exactly one page."""
    for number in range(5):
        ground.use("lists.save", list=f"list-{number}")
    seen: list[AuditRow] = []
    page = ground.log(limit=2)
    while page.next is not None:
        seen += page.items
        page = ground.log(limit=2, after=page.next)
    assert [each.target for each in (*seen, *page.items)] == [f"list-{n}" for n in range(4, -1, -1)]


def test_another_organisations_log_is_its_own(ground: Ground, shared_database: Database) -> None:
    """An organisation's log has no row of another."""
    ground.use("lists.save", list="news")
    assert replace(ground, org=committed_organization(shared_database)).entries() == []


def test_the_row_stands_or_falls_with_the_change(ground: Ground) -> None:
    """A transaction that is rolled back after the change loses the row too."""
    door = DOORS["lists.save"]
    call = door.read({"list": "news"})

    def lost(work: Work) -> None:
        create_list(work, "news")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        door.noting(ground.engine, call, EVE).perform(ground.org, lost)
    assert ground.entries() == []


@pytest.mark.parametrize("name", DOORS)
def test_every_change_of_an_operator_has_a_trail(name: str) -> None:
    """Each door by which operators change something declares what it leaves in the log."""
    door = DOORS[name]
    operators = door.role in (Role.EDITOR, Role.ADMIN) and door.act.changes
    # With the organisation goes its log.
    assert not operators or door.trail is not None or name == "organizations.erase"
    assert door.act.changes or door.trail is None

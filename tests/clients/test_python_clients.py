"""Python's own clients, unchanged: segment-analytics-python 2.4.0, rudder-sdk-python 2.1.9 and
customerio 3.2.0 (§13).
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import rudderstack.analytics.client
import rudderstack.analytics.request
import segment.analytics.client
import segment.analytics.request
from customerio import CustomerIO, CustomerIOException
from sqlalchemy import Table, select

from halo_engine.domain.roles import Role
from halo_engine.doors.table import DOORS
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin, Via
from halo_engine.tables import (
    audience_fields,
    companies,
    end_users,
    event_counts,
    events,
    signals,
    suppressions,
    waiting_calls,
)
from halo_engine.work import OrgRef
from tests.clients.sending import happened, members, people, rows
from tests.pipeline.sandbox import Sandbox
from tests.web.conftest import Web
from tests.web.test_applications import key_of
from workers.demo.sample import CONTACTS_CSV
from workers.demo.sample import companies as sample_companies

#: The second of January.
SECOND = datetime(2020, 1, 2, tzinfo=UTC)
MODULES = {"segment": segment.analytics, "rudderstack": rudderstack.analytics}


class Client:
    """One of the two clients whose interface is Segment's, and the errors that it told of."""

    def __init__(self, name: str, web: Web, key: str, **options: Any) -> None:
        self.errors: list[Exception] = []
        made = MODULES[name].client.Client
        self.own = made(
            key, host=web.url, on_error=self._note, upload_interval=0.05, timeout=120, **options
        )

    def _note(self, error: Exception, _batch: object) -> None:
        self.errors.append(error)

    def flush(self) -> list[Exception]:
        """Wait until everything is sent; return the errors."""
        self.own.flush()
        return self.errors


@contextmanager
def client(name: str, web: Web, key: str, **options: Any) -> Iterator[Client]:
    """Return a client, which ends afterwards."""
    made = Client(name, web, key, **options)
    try:
        yield made
    finally:
        made.own.join()


@pytest.fixture(params=["segment", "rudderstack"])
def name(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


def test_everything_that_they_send_is_taken(web: Web, name: str) -> None:
    """A batch of each kind of message is stored with its meaning, compressed or not."""
    org = web.organization()
    with client(name, web, str(org.widget_key), gzip=name == "rudderstack") as it:
        it.own.identify("ann", {"email": "ann@a.example", "createdAt": SECOND})
        it.own.identify(anonymous_id="a1", traits={"city": "Rome"})
        it.own.identify("bob", anonymous_id="a1")
        it.own.track("ann", "paid", {"total": 5, "when": SECOND})
        it.own.group("ann", "acme", {"name": "Acme"})
        it.own.page("ann", "Docs", "Index", {"path": "/docs"})
        it.own.screen(anonymous_id="a2", name="Home")
        it.own.track("cec", "early")
        assert it.flush() == []
        it.own.alias("a2", "ann")
        assert it.flush() == []
    assert people(web, org) == [
        ("ann", "ann@a.example", {}),
        ("bob", None, {"city": "Rome"}),
    ]
    assert rows(web, org, end_users, "external_id", "signed_up_at") == [
        ("ann", SECOND),
        ("bob", None),
    ]
    assert sorted(happened(web, org), key=str) == [
        ("Viewed Docs Index Page", "ann", None),
        ("Viewed Home Screen", "ann", "a2"),
        ("paid", "ann", None),
    ]
    said = dict(rows(web, org, events, "name", "properties"))
    assert said["paid"] == {"total": 5, "when": "2020-01-02T00:00:00+00:00"}
    assert members(web, org) == [("acme", "Acme", {}, "ann")]
    assert rows(web, org, waiting_calls, "user_id", "door") == [("cec", "track")]


def test_a_batch_whose_answer_is_lost_is_there_once(
    web: Web, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is sent again with another sentAt and the same messageIds is stored once."""
    org = web.organization()
    sent: list[bytes] = []
    own = requests.Session.post

    def post(*given: Any, **named: Any) -> Any:
        answer = own(*given, **named)
        sent.append(named["data"])
        if len(sent) == 1:
            raise requests.ConnectionError("the answer is lost")
        return answer

    monkeypatch.setattr(requests.Session, "post", post)
    with client(name, web, str(org.widget_key), gzip=False) as it:
        it.own.identify("ann", {"email": "ann@a.example"})
        it.own.track("ann", "paid")
        assert it.flush() == []
    # However many batches the client makes of the two: the first is sent again.
    first, again = (json.loads(each)["batch"] for each in sent[:2])
    assert [each["messageId"] for each in first] == [each["messageId"] for each in again]
    assert sent[0] != sent[1]
    assert happened(web, org) == [("paid", "ann", None)]


def test_a_key_that_is_wrong_is_told_once(
    web: Web, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clients read code and message of the refusal, and do not retry."""
    tries: list[object] = []
    own = requests.Session.post

    def post(*given: Any, **named: Any) -> Any:
        tries.append(given)
        return own(*given, **named)

    monkeypatch.setattr(requests.Session, "post", post)
    with client(name, web, "ab_live_nobodys") as it:
        it.own.track("ann", "paid")
        [error] = it.flush()
    assert isinstance(error, MODULES[name].request.APIError)
    assert (error.status, error.code) == (401, "unknown_widget_key")
    assert error.message == "This widget key names no organisation."
    assert len(tries) == 1


def test_a_nan_spoils_its_message_alone(web: Web, name: str) -> None:
    """A bare NaN refuses its own message alone; the rest of the batch is stored."""
    org = web.organization()
    with client(name, web, str(org.widget_key)) as it:
        it.own.identify("ann", {"plan": "pro"})
        it.own.identify("bob", {"score": float("nan")})
        assert it.flush() == []
    assert people(web, org) == [("ann", None, {"plan": "pro"})]


def test_customer_ios_client_moves_by_host_and_key(web: Web) -> None:
    """Customer.io's client works with another host and key: customers, events, pages, and a
    backend's calls.
    """
    org = web.organization()
    it = CustomerIO("any site", key_of(web, org, Role.INGEST), retries=0, timeout=120)
    # It speaks https alone, which a proxy does here.
    it.base_url = f"{web.url}/api/v1"
    it.track("ann", "early", {"from": "mail"})
    it.identify("ann", email="ann@a.example", created_at=SECOND, plan="pro")
    it.identify("ann", _update=True, plan="max")
    it.identify("nobody", _update=True, plan="max")
    it.track("ann", "paid", {"total": 5, "score": float("nan")}, id="e1")
    it.track("ann", "paid", {"total": 5, "score": float("nan")}, id="e1")
    it.backfill("ann", "opened", SECOND)
    it.pageview("ann", "/pricing", referer="/")
    it.suppress("ann")
    it.suppress("nobody")
    assert people(web, org) == [("ann", "ann@a.example", {"plan": "max"})]
    assert rows(web, org, events, "name", "properties") == [
        ("Viewed /pricing Page", {"referer": "/"}),
        ("early", {"from": "mail"}),
        ("opened", {}),
        ("paid", {"total": 5, "score": None}),
    ]
    assert rows(web, org, end_users, "signed_up_at") == [(SECOND,)]
    assert dict(rows(web, org, events, "name", "happened_at"))["opened"] == SECOND
    assert rows(web, org, suppressions, "address") == [("ann@a.example",)]
    it.unsuppress("ann")
    assert rows(web, org, suppressions, "address") == []
    it.delete("ann")
    it.delete("ann")
    assert people(web, org) == []
    it.api_key = str(org.widget_key)
    it.close()
    it.identify("bob")
    with pytest.raises(CustomerIOException, match=r"^403: "):
        it.delete("bob")
    it.close()


#: What is made anew in each organisation, or says when the last event was taken.
_OWN = ("id", "org_id", "end_user_id", "company_id", "live_id", "event_id")
_TAKEN_AT = ("created_at", "updated_at", "last_seen", "first_seen_at", "signals.happened_at")


def told(web: Web, org: OrgRef, table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table without what is each organisation's own, by what they say."""
    own = {*_OWN, *_TAKEN_AT}
    columns = [each for each in table.c if not own & {each.name, f"{table.name}.{each.name}"}]
    asked = select(*columns).where(table.c.org_id == org.id)
    if "end_user_id" in table.c:
        user = end_users.alias("whose")
        asked = asked.add_columns(user.c.external_id.label("whose")).outerjoin_from(
            table, user, user.c.id == table.c.end_user_id
        )
    with web.database.connect() as connection:
        found = [dict(row) for row in connection.execute(asked).mappings()]
    return sorted(found, key=str)


#: A call of a task: its door, and its fields.
Day = list[tuple[str, dict[str, Any]]]


def recorded_day(began: datetime) -> Day:
    """Return a day of the sample organisation, as calls of tasks: each a minute after the last."""
    day: Day = []
    with CONTACTS_CSV.open(encoding="utf-8", newline="") as file:
        people_ = list(csv.DictReader(file))[:40]
    for person in people_:
        traits = {"email": person["Email"], "name": person["Full name"], "plan": person["Plan"]}
        given = {name: said for name, said in traits.items() if said}
        day.append(("identify", {"user_id": person["User"], "traits": given}))
        event = {"event": "report opened", "properties": {"plan": person["Plan"]}}
        day.append(("track", {"user_id": person["User"], **event}))
    known = {person["User"] for person in people_}
    for company, users in sample_companies():
        for user in known.intersection(users):
            day.append(("companies.identify", {**company, "user_id": user}))
    for person in people_[::3]:
        day.append(("identify", {"user_id": person["User"], "traits": {"plan": "team"}}))
        day.append(("track", {"user_id": person["User"], "event": "Viewed Plans Page"}))
    timed: Day = []
    for number, (door, fields) in enumerate(day):
        at = (began + timedelta(minutes=number)).isoformat()
        timed.append((door, {**fields, "timestamp" if door == "track" else "sent_at": at}))
    return timed


def send_by_segment(it: Client, day: Day) -> None:
    """Send the day by Segment's client."""
    send: dict[str, Callable[..., Any]] = {
        "identify": lambda call, at: it.own.identify(call["user_id"], call["traits"], timestamp=at),
        "companies.identify": lambda call, at: it.own.group(
            call["user_id"], call["id"], call["traits"], timestamp=at
        ),
        "track": lambda call, at: (
            it.own.page(call["user_id"], name="Plans", timestamp=at)
            if call["event"].startswith("Viewed")
            else it.own.track(call["user_id"], call["event"], call["properties"], timestamp=at)
        ),
    }
    for door, call in day:
        at = datetime.fromisoformat(call.get("timestamp") or call["sent_at"])
        send[door](call, at)
    assert it.flush() == []


def run_tasks(engine: Engine, org: OrgRef, day: Day) -> None:
    """Run the day's tasks, one after the other."""
    for door, call in day:
        made = DOORS[door]
        made.run(engine, org, made.read(call), Origin("app", Via.TASK))


def test_a_recorded_day_ends_in_equal_tables(web: Web) -> None:
    """A day sent by Segment's client and the same day sent as tasks leave equal rows, including
    when each field was sent.
    """
    by_client, by_tasks = web.organization(), web.organization()
    day = recorded_day(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=20))
    with client("segment", web, str(by_client.widget_key)) as it:
        send_by_segment(it, day)
    engine = replace(Sandbox(web.database, by_tasks).engine, clock=None)
    run_tasks(engine, OrgRef(widget_key=by_tasks.widget_key), day)
    assert members(web, by_client) == members(web, by_tasks)
    for table in (end_users, companies, events, event_counts, audience_fields, signals):
        assert told(web, by_client, table) == told(web, by_tasks, table), table.name
    assert len(told(web, by_client, events)) == len([door for door, _ in day if door == "track"])

"""Two cells behind one address and one broker: each call reaches the organisation's own."""

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from threading import Event, Thread
from time import time
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, text

from halo_engine.domain.mail_tokens import MailToken, Purpose
from tests.cells.fences import fence
from tests.cells.installation import Installation, Org, running_cells, wait_until
from workers.broker.scripts import IN_HAND
from workers.connections import broker
from workers.queue_names import CALLS_QUEUE, queues_of
from workers.stack.servers import Servers


@pytest.fixture(scope="module")
def installation(servers: Servers, new_database: Callable[[], Engine]) -> Iterator[Installation]:
    """Two cells, `a` and `b`, with the directory in `a`."""
    broker(servers.broker_url).flushdb()
    databases = {"a": new_database(), "b": new_database()}
    with running_cells(databases["a"], databases, servers.broker_url) as running:
        yield running


@pytest.fixture(scope="module")
def left(installation: Installation) -> Org:
    """An organisation in `a` whose series greets new users."""
    org = installation.organization("a", name="Left")
    installation.greets(org)
    return org


@pytest.fixture(scope="module")
def right(installation: Installation) -> Org:
    """An organisation in `b` whose series greets new users."""
    org = installation.organization("b", name="Right")
    installation.greets(org)
    return org


def test_calls_over_http_reach_their_cell(
    installation: Installation, left: Org, right: Org
) -> None:
    """Widget keys, ingest keys and operator keys lead to the cell; an unknown one is a 401."""
    for org in (left, right):
        assert installation.identify(org, "http").status == 200
        key = installation.halo.json("key", "create", "--org", org.key, "--role", "ingest")["key"]
        sent = installation.web.post("/api/sdk/users/identify", key, {"user_id": "by-key"})
        assert sent.status == 200
        key = installation.halo.json("key", "create", "--org", org.key, "--role", "admin")["key"]
        shown = installation.web.ask("GET", "/api/organization", Authorization=f"Bearer {key}")
        assert shown.json()["key"] == org.key
        assert installation.users(org.cell, org) == ["http", "by-key"]
    assert installation.users("a", right) == installation.users("b", left) == []
    for unknown in ("ab_live_nobody", "hk_000000000000_nobody"):
        refused = installation.web.post("/api/sdk/users/identify", unknown, {"user_id": "x"})
        assert refused.status == 401
    assert installation.web.ask("POST", "/api/sdk/users/identify").status == 401


def test_other_products_clients_reach_their_cell(installation: Installation, right: Org) -> None:
    """Segment's key stands in the header or in the body, Customer.io's is the password."""
    call = {"userId": "segment", "messageId": "m1", "traits": {}}
    basic = b64encode(f"{right.widget_key}:".encode()).decode()
    headers = {"Content_Type": "application/json"}
    by_header = installation.web.ask(
        "POST", "/v1/identify", json.dumps(call).encode(), Authorization=f"Basic {basic}", **headers
    )
    call = {**call, "userId": "segment-2", "messageId": "m2", "writeKey": right.widget_key}
    by_body = installation.web.ask("POST", "/v1/identify", json.dumps(call).encode(), **headers)
    basic = b64encode(f"site:{right.widget_key}".encode()).decode()
    customer = installation.web.ask(
        "PUT", "/api/v1/customers/cio", b"{}", Authorization=f"Basic {basic}", **headers
    )
    assert [each.status for each in (by_header, by_body, customer)] == [200, 200, 200]
    found = installation.users("b", right)
    assert {"segment", "segment-2", "cio"} <= {*found}


def test_tasks_reach_their_cell(installation: Installation, left: Org, right: Org) -> None:
    """Whichever worker takes a call, its organisation's does it; the sender gets the answer."""
    for org in (left, right):
        for number in range(4):
            answer = installation.task(
                "halo.identify", widget_key=org.widget_key, user_id=f"task-{number}"
            )
            assert answer["created"] is True
        assert installation.task("halo.organizations.show", org=org.key)["key"] == org.key
        tasks = [f"task-{number}" for number in range(4)]
        assert [each for each in installation.users(org.cell, org) if each in tasks] == tasks
    refused = installation.task("halo.identify", widget_key="nobody", user_id="x")
    assert refused["refused"]["code"] == "unknown_widget_key"
    refused = installation.task("halo.organizations.show", org="nobody")
    assert refused["refused"]["code"] == "unknown_organisation"


def test_calls_of_two_cells_that_wait_together_are_told_apart(
    installation: Installation, left: Org, right: Org
) -> None:
    """Calls that lie behind each other in the shared queue go as sets, each in its own cell."""
    app = installation.app
    sent = [
        app.send_task("halo.identify", kwargs={"widget_key": org.widget_key, "user_id": f"set-{n}"})
        for n in range(20)
        for org in (left, right)
    ]
    assert all(each.get(timeout=120)["created"] for each in sent)
    for org in (left, right):
        sets = [each for each in installation.users(org.cell, org) if each.startswith("set-")]
        assert sorted(sets) == sorted(f"set-{number}" for number in range(20))
    client = broker(str(app.conf.broker_url))
    wait_until(lambda: client.hlen(IN_HAND) == 0, "all messages are acknowledged")
    queues = [CALLS_QUEUE, *queues_of("a"), *queues_of("b")]
    assert [name for name in queues if name.endswith("calls") and client.llen(name)] == []


def test_mails_and_their_links_are_the_cells(
    installation: Installation, left: Org, right: Org
) -> None:
    """Each cell's workers send its mail; a link in it leads back, over HTTP and as a task."""
    for org in (left, right):
        address = f"mail@{org.cell}.example"
        installation.identify(org, "mail", traits={"email": address})
        wait_until(partial(_got, installation, org, address), f"{address} got a mail")
    other = {"a": "b", "b": "a"}
    for org in (left, right):
        assert f"mail@{org.cell}.example" not in "".join(installation.mails(other[org.cell]))
        with installation.databases[org.cell].connect() as connection:
            key, row = connection.execute(
                text(
                    "SELECT mail_key, r.id FROM organizations o JOIN automation_recipients r"
                    " ON r.org_id = o.id JOIN end_users e ON e.org_id = o.id"
                    " AND e.id = r.end_user_id AND e.external_id = 'mail' WHERE o.id = :org"
                ),
                {"org": org.id},
            ).one()
        link = _token(org, row, bytes(key))
        assert installation.web.ask("GET", f"/u/{link}").status == 200
        assert "refused" not in installation.task("halo.links.look", token=link)
        assert installation.web.ask("POST", f"/u/{link}", b"").status == 200
        with installation.databases[org.cell].connect() as connection:
            asked = text("SELECT count(*) FROM suppressions WHERE org_id = :org")
            assert connection.scalar(asked, {"org": org.id}) == 1
    assert installation.web.ask("GET", "/u/nonsense").status == 401


def _got(installation: Installation, org: Org, address: str) -> bool:
    return any(f"To: {address}" in each for each in installation.mails(org.cell))


def _token(org: Org, row: int, key: bytes) -> str:
    return MailToken(Purpose.UNSUBSCRIBE, org.id, row).signed(key)


def test_what_comes_from_outside_reaches_its_cell(
    installation: Installation, left: Org, right: Org
) -> None:
    """Stripe's hook names the organisation; of a mail, the cells say whose it is."""
    customer = {"id": "cus_1", "object": "customer", "email": "payer@x.example", "metadata": {}}
    event = {
        "id": "evt_1",
        "object": "event",
        "created": int(time()),
        "type": "customer.created",
        "data": {"object": customer},
    }
    for org in (left, right):
        installation.identify(org, "payer", traits={"email": "payer@x.example"})
        secret = f"whsec_of_{org.cell}"
        installation.halo("org", "stripe-secret", org.key, secret)
        body, now = json.dumps(event), int(time())
        mac = hmac.new(secret.encode(), f"{now}.{body}".encode(), "sha256").hexdigest()
        taken = installation.web.ask(
            "POST",
            f"/api/hooks/stripe/{org.key}",
            body.encode(),
            Content_Type="application/json",
            Stripe_Signature=f"t={now},v1={mac}",
        )
        assert taken.status == 200
    unknown = installation.web.ask(
        "POST",
        "/api/hooks/stripe/nobody",
        b"{}",
        Content_Type="application/json",
        Stripe_Signature=f"t={int(time())},v1=00",
    )
    assert unknown.status == 400
    installation.identify(right, "reader", traits={"email": "reader@b.example"})
    wait_until(partial(_got, installation, right, "reader@b.example"), "the reader got a mail")
    [mail] = [each for each in installation.mails("b") if "To: reader@b.example" in each]
    message_id = re.search(r"(?im)^message-id: *(<[^>]+>)", mail)
    assert message_id is not None
    reply = (
        f"From: reader@b.example\nTo: series@halo.example\nSubject: Re: Hello\n"
        f"Message-ID: <r1@b.example>\nIn-Reply-To: {message_id[1]}\n\nThank you\n"
    )
    received = [installation.task("halo.mail.receive", message=reply) for _ in range(2)]
    assert [each["kind"] for each in received] == ["reply", "reply"]
    assert [each["message_id"] for each in received] == [message_id[1]] * 2
    file = installation.halo.file("reply.eml", reply)
    assert installation.halo.json("mail", "receive", file)["message_id"] == message_id[1]
    stranger = installation.task("halo.mail.receive", message="From: a@b.example\n\nHello\n")
    assert stranger["message_id"] is None


def test_a_task_about_the_whole_installation_goes_to_all_cells(installation: Installation) -> None:
    """All mail is stopped in each cell, and started again."""

    def stopped() -> list[object]:
        asked = text("SELECT sending_stopped_by FROM installation")
        found = []
        for database in installation.databases.values():
            with database.connect() as connection:
                found.append(connection.scalar(asked))
        return found

    assert "stops" in installation.task("halo.sending.stop", by="ann")
    wait_until(lambda: stopped() == ["ann", "ann"], "both cells stopped")
    installation.task("halo.sending.start")
    wait_until(lambda: stopped() == [None, None], "both cells started")


def test_the_panel_shows_the_organisation_that_signed_in(
    installation: Installation, left: Org, right: Org
) -> None:
    """A key signs in in its cell, and the session leads there; without one, the page asks."""
    assert installation.web.ask("GET", "/series").status == 303
    for org in (left, right):
        key = installation.halo.json("key", "create", "--org", org.key, "--role", "admin")["key"]
        signed = installation.web.ask(
            "POST",
            "/sign-in",
            urlencode({"key": key}).encode(),
            Content_Type="application/x-www-form-urlencoded",
            Origin=installation.web.url,
        )
        assert signed.status == 303
        cookie = signed.headers["set-cookie"].partition(";")[0]
        page = installation.web.ask("GET", "/series", Cookie=cookie)
        assert page.status == 200
        assert org.cell == ("a" if "Left" in page.body.decode() else "b")
    wrong = installation.web.ask(
        "POST",
        "/sign-in",
        urlencode({"key": "nonsense"}).encode(),
        Content_Type="application/x-www-form-urlencoded",
        Origin=installation.web.url,
    )
    assert wrong.status == 401


def test_health_and_metrics_name_each_cell(installation: Installation) -> None:
    """One look tells of all cells, and of the directory."""
    well = {"ok": True, "cells": {"a": "ok", "b": "ok"}, "directory": "ok"}
    # A cell that does not answer in time is not well: a busy machine may need a second look.
    wait_until(lambda: installation.web.ask("GET", "/readyz").json() == well, "all are well")
    patterns = (
        r'halo_database_up\{cell="a"\} 1\.0',
        r'halo_database_up\{cell="b"\} 1\.0',
        r"halo_directory_up 1\.0",
        r'halo_messages_waiting\{queue="halo\.b\.signals"\}',
        r'halo_ticks_total\{cell="b"\} [1-9]',
    )

    def are_told() -> bool:
        metrics = installation.web.ask("GET", "/metrics").body.decode()
        return all(re.search(pattern, metrics) for pattern in patterns)

    wait_until(are_told, "the metrics name each cell")


def test_an_organisation_that_has_moved_is_found(installation: Installation) -> None:
    """Its old cell refuses a write and names the new one: the call goes on there, over HTTP and as
    a task, and nobody sees an error.
    """
    org = installation.organization("a")
    installation.identify(org, "before")
    key = installation.halo.json("key", "create", "--org", org.key, "--role", "admin")["key"]
    signed = installation.web.ask(
        "POST",
        "/sign-in",
        urlencode({"key": key}).encode(),
        Content_Type="application/x-www-form-urlencoded",
        Origin=installation.web.url,
    )
    cookie = signed.headers["set-cookie"].partition(";")[0]
    for table in ("organizations", "operator_keys", "operator_sessions"):
        _copy(installation, org, table)
    fence(installation.databases["a"], org.id, "b")
    assert installation.identify(org, "over-http").status == 200
    answer = installation.task("halo.identify", widget_key=org.widget_key, user_id="task")
    assert answer["created"] is True
    sent = [
        installation.app.send_task(
            "halo.identify", kwargs={"widget_key": org.widget_key, "user_id": f"set-{n}"}
        )
        for n in range(10)
    ]
    assert all(each.get(timeout=120)["created"] for each in sent)
    for path, body in (("/sign-in", urlencode({"key": key}).encode()), ("/sign-out", b"")):
        answer = installation.web.ask(
            "POST",
            path,
            body,
            Content_Type="application/x-www-form-urlencoded",
            Origin=installation.web.url,
            Cookie=cookie,
        )
        assert (answer.status, "set-cookie" in answer.headers) == (303, True)
    assert installation.users("a", org) == ["before"]
    assert installation.users("b", org)[:2] == ["over-http", "task"]
    assert len(installation.users("b", org)) == 12
    # The directory follows, and the old cell forgets it.
    with installation.directory.begin() as connection:
        connection.execute(
            text(
                "UPDATE cell_organizations SET cell = 'b', change = nextval('arrivals')"
                " WHERE id = :org"
            ),
            {"org": org.id},
        )
    installation.halo("identify", "by-command", "--org", org.key)
    assert "by-command" in installation.users("b", org)


def _copy(installation: Installation, org: Org, table: str) -> None:
    """Copy an organisation's row of a table from `a` to `b`, as a move does before it ends."""
    its = "id" if table == "organizations" else "org_id"
    asked = text(f"SELECT to_jsonb({table})::text FROM {table} WHERE {its} = :org")
    with installation.databases["a"].connect() as connection:
        row = {"row": connection.execute(asked, {"org": org.id}).scalar_one()}
    record = f"jsonb_populate_record(CAST(NULL AS {table}), CAST(:row AS jsonb))"
    with installation.databases["b"].begin() as connection:
        connection.execute(text(f"INSERT INTO {table} SELECT ({record}).*"), row)


def test_an_organisation_moves_while_it_is_called(installation: Installation) -> None:
    """Over HTTP and as tasks, every call is answered, and done once, in the one cell or the other;
    its mails go on from the new one.
    """
    org = installation.organization("a")
    installation.greets(org)
    ends, answers = Event(), list[int]()

    def call(name: str) -> None:
        for number in count():
            if ends.is_set():
                return
            sent = installation.identify(org, f"{name}-{number}")
            answers.append(sent.status)

    callers = [Thread(target=call, args=(f"caller-{n}",)) for n in range(2)]
    for each in callers:
        each.start()
    tasks: list[Any] = []
    moving = Thread(target=lambda: installation.halo("org", "move", org.key, "--to", "b"))
    moving.start()
    while moving.is_alive():
        call_ = {"widget_key": org.widget_key, "user_id": f"task-{len(tasks)}"}
        tasks.append(installation.app.send_task("halo.identify", kwargs=call_))
        moving.join(timeout=0.05)
    assert all(each.get(timeout=120)["created"] for each in tasks)
    wait_until(lambda: answers, "calls were answered")
    ends.set()
    for each in callers:
        each.join()
    assert {*answers} == {200}
    found = installation.users("b", org)
    assert len(found) == len({*found}) == len(answers) + len(tasks)
    assert installation.users("a", org) == []
    installation.identify(org, "moved", traits={"email": "moved@b.example"})
    wait_until(
        lambda: any("moved@b.example" in each for each in installation.mails("b")), "a mail from b"
    )

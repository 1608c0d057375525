"""Webhooks end to end: web, worker and beat as processes, and a receiver (contract §14)."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from halo_engine.domain.roles import Role
from halo_engine.operators.keys import CreateKeyCall, create_key
from tests.acceptance.conftest import Stack
from tests.acceptance.one_stack.test_main_job import WELCOME, draft, mail_to
from tests.webhooks.receiver import Receiver, receiving
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers


@dataclass(frozen=True)
class Telling:
    """A stack with a web process, and an organisation of it where `welcome` is active."""

    stack: Stack
    url: str
    org: str
    admin_key: str

    def post(self, path: str, key: str, call: Any) -> Any:
        """Post a call over HTTP, and return its answer."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = Request(f"{self.url}{path}", json.dumps(call).encode(), headers)
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def endpoint(self, receiver: Receiver, **given: Any) -> Any:
        """Make an endpoint at the receiver, as an admin's program does."""
        return self.post("/api/webhooks", self.admin_key, {"url": receiver.url, **given})

    def identify(self, name: str) -> None:
        """Have a user come in, who gets two mails."""
        call = {"user_id": name, "traits": {"email": f"{name}@a.example"}}
        self.post("/api/sdk/users/identify", self.org, call)

    def wait_for(self, receiver: Receiver, count: int) -> None:
        """Wait until so many messages arrived."""
        self.stack.wait_until(lambda: len(receiver.taken) >= count, f"{count} messages")


@pytest.fixture(scope="module")
def telling(
    servers: Servers,
    start_stack: Callable[..., AbstractContextManager[Stack]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Telling]:
    """Run the three processes, which may call receivers on this machine."""
    folder: Path = tmp_path_factory.mktemp("telling")
    with start_stack(webhook_allow_private=True) as stack:
        own = Servers(stack.database.url.render_as_string(hide_password=False), servers.broker_url)
        settings = {"web_bind": "127.0.0.1:0", "webhook_allow_private": True}
        child, url = start_web(folder, stack_environment(own, **settings), log=folder / "web.log")
        try:
            org = stack.organization()
            draft(stack, org, "welcome", WELCOME)
            stack.ask("halo.series.activate", org=org, series="welcome")
            call = CreateKeyCall(role=Role.ADMIN, name="Pat")
            made = stack.sandbox(org).perform(lambda work: create_key(work, call))
            yield Telling(stack, url, org, made.key)
        finally:
            child.stop()


def test_a_worker_tells_of_a_contacts_way_in_order(telling: Telling) -> None:
    """From the identify to the end of the series each message arrives once, in order, signed."""
    with receiving() as receiver, receiving() as of_mails:
        secret = telling.endpoint(receiver)["secret"]
        telling.endpoint(of_mails, kinds=["mail.sent"], with_traits=True)
        telling.identify("ann")
        telling.wait_for(receiver, 6)
        telling.wait_for(of_mails, 2)
        told = receiver.verified(secret)
        assert [(each["type"], each["data"].get("step")) for each in told] == [
            ("contact.entered", None),
            ("mail.sent", "hello"),
            ("step.done", "hello"),
            ("mail.sent", "later"),
            ("step.done", "later"),
            ("contact.exited", None),
        ]
        assert told[-1]["data"]["reason"] == "completed"
        assert {each.contact for each in receiver.taken} == {"ann"}
        assert mail_to(telling.stack.mail, "ann@a.example") == ["Hello there", "Later"]
        mails = [each.data["data"] for each in of_mails.taken]
        assert [mail["step"] for mail in mails] == ["hello", "later"]
        assert {mail["contact"]["email"] for mail in mails} == {"ann@a.example"}


def test_the_tick_sends_a_message_that_nothing_rang_for(telling: Telling) -> None:
    """The tick sends a test message, for which no series rings."""
    with receiving() as receiver:
        made = telling.endpoint(receiver)
        asked = telling.stack.ask("halo.webhooks.test", org=telling.org, endpoint=made["id"])
        telling.wait_for(receiver, 1)
        [told] = receiver.verified(made["secret"])
        assert (told["type"], told["data"]) == ("webhook.test", {})
        assert [each.id for each in receiver.taken] == [asked["webhook_id"]]
        delivered: list[Any] = []

        def is_noted() -> bool:
            call = {"org": telling.org, "endpoint": made["id"], "state": "delivered"}
            delivered[:] = telling.stack.ask("halo.webhooks.deliveries", **call)["items"]
            return bool(delivered)

        telling.stack.wait_until(is_noted, "the delivery is noted")
        assert [(each["status"], each["attempts"]) for each in delivered] == [(204, 1)]

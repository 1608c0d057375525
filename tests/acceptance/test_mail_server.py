"""Mail that goes out: a real worker, a real mail server, stopped and started by tasks (§9)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default

import pytest

from halo_engine.tables import automation_recipients
from tests.acceptance.conftest import Stack
from tests.acceptance.one_stack.test_main_job import draft
from tests.mail.mail_server import MailServer, mail_server

WELCOME = {
    "entry_trigger": "user_created",
    "steps": [{"key": "hello", "email": {"subject": "Hello {{ name }}", "body": "Hi"}}],
}


@dataclass
class Sending:
    """A stack that sends to a mail server, and an organisation with an active series."""

    stack: Stack
    server: MailServer
    org: str

    def identify(self, *names: str) -> None:
        """Have users come in, who get a mail each."""
        for name in names:
            traits = {"email": f"{name}@a.example", "name": name}
            self.stack.ask("halo.identify", widget_key=self.org, user_id=name, traits=traits)

    def wait_for(self, *names: str) -> None:
        """Wait until exactly these have got a mail, one each."""
        expected = dict.fromkeys((f"{name}@a.example" for name in names), 1)
        self.stack.wait_until(lambda: self.server.copies == expected, f"mails to {names}")


@pytest.fixture(scope="module")
def sending(start_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Sending]:
    """Run a worker that sends fifty a second to a server, where `welcome` is active."""
    with (
        mail_server() as server,
        start_stack(
            smtp_url=server.url, mail_per_second=50, mail_from_address="hi@acme.example"
        ) as stack,
    ):
        org = stack.organization()
        draft(stack, org, "welcome", WELCOME)
        stack.ask("halo.series.activate", org=org, series="welcome")
        yield Sending(stack, server, org)


def test_a_worker_sends_holds_and_goes_on(sending: Sending) -> None:
    """Mail arrives; a stop holds it, a start lets it go; an outage of the server loses nothing."""
    sending.identify("ann")
    sending.wait_for("ann")
    message = message_from_bytes(sending.server.contents[0], policy=default)
    assert (message["From"], message["Subject"]) == ("Halo <hi@acme.example>", "Hello ann")
    assert list(sending.stack.mail.glob("*")) == []

    stopped = sending.stack.ask("halo.sending.stop", by="Pat")
    assert [(each["org"], each["by"]) for each in stopped["stops"]] == [(None, "Pat")]
    sending.identify("ben", "cyd")
    assert sending.stack.ask("halo.sending.show", org=sending.org) == stopped
    sandbox = sending.stack.sandbox(sending.org)
    waits = automation_recipients.c.status == "pending"
    sending.stack.wait_until(
        lambda: sandbox.count(automation_recipients, waits) == 2, "two mails are due"
    )
    sending.wait_for("ann")
    assert sending.stack.ask("halo.sending.start") == {"stops": [], "outage": None}
    sending.wait_for("ann", "ben", "cyd")

    sending.server.stop()
    sending.identify("dan", "eve")
    sending.stack.wait_until(
        lambda: sending.stack.ask("halo.sending.show")["outage"] is not None, "the outage is noted"
    )
    sending.server.start()
    sending.wait_for("ann", "ben", "cyd", "dan", "eve")
    sending.stack.wait_until(
        lambda: sending.stack.ask("halo.sending.show")["outage"] is None, "the outage is over"
    )


def test_bad_calls_are_answered_as_data(sending: Sending) -> None:
    """An unknown organisation and a wrong argument are each refused in one line."""
    nobody = sending.stack.ask("halo.sending.stop", org="nobody")
    assert nobody["refused"]["code"] == "unknown_organisation"
    for task in ("stop", "start", "show"):
        odd = sending.stack.ask(f"halo.sending.{task}", organisation="acme")
        assert odd["refused"]["status"] == 400
        assert "organisation" in odd["refused"]["message"]

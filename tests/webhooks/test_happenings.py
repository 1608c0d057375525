"""What happens to contacts in series is written by the statement that makes it happen (§14)."""

from datetime import timedelta
from typing import Any

import pytest

from halo_engine.domain.errors import validated
from halo_engine.mail.incoming.events import MailCall, MailEvent, note_all
from halo_engine.mail.transports.transports import Mail, MemoryTransport, PermanentFailure
from halo_engine.tables import webhook_deliveries, webhook_events
from tests.webhooks.receiver import Receiver
from tests.webhooks.sandbox import Hooks

BYE = {"key": "bye", "delay": "1d", "email": {"subject": "Bye", "body": "Bye"}}
HI = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
IS_PRO: dict[str, Any] = {
    "audience_type": "segment",
    "audience_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
}


class Refusing(MemoryTransport):
    """A mail server that takes no mail."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def send(self, mail: Mail, key: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse it for good."""
        raise PermanentFailure(self.words)


def test_a_contacts_way_through_a_series_is_told_in_order(hooks: Hooks, receiver: Receiver) -> None:
    """Entered, sent, done, sent, done and exited come once each, with series, step and reason."""
    endpoint = hooks.endpoint(receiver.url)
    hooks.series("welcome", steps=[HI, BYE])
    hooks.enter("ann")
    hooks.tick(timedelta(days=1))
    hooks.deliver()
    told = receiver.verified(endpoint.secret)
    assert [(each["type"], each["data"].get("step")) for each in told] == [
        ("contact.entered", None),
        ("mail.sent", "hi"),
        ("step.done", "hi"),
        ("mail.sent", "bye"),
        ("step.done", "bye"),
        ("contact.exited", None),
    ]
    assert told[-1]["data"]["reason"] == "completed"
    assert {each["data"]["series"] for each in told} == {"welcome"}
    assert {each["data"]["enrollment"] for each in told} == {1}
    assert told[0]["timestamp"] == "2026-06-01T12:00:00.000000+00:00"
    assert told[1]["data"]["message_id"].startswith("<")


def test_a_refusal_is_told_with_its_code(hooks: Hooks, receiver: Receiver) -> None:
    """A refusal has the guard's code, as explain says it."""
    hooks.endpoint(receiver.url)
    hooks.series("pros", **IS_PRO)
    hooks.enter("ann")
    hooks.deliver()
    [told] = receiver.taken
    assert (told.contact, told.type) == ("ann", "contact.refused")
    assert told.data["data"]["reason"] == "audience_mismatch"


def test_a_failed_mail_is_told_with_its_reason(hooks: Hooks, receiver: Receiver) -> None:
    """A failed mail's step is told as failed, not as done, and the run goes on."""
    hooks.endpoint(receiver.url, kinds=["mail.failed", "step.done"])
    hooks.transport = Refusing("550 no such mailbox")
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    assert receiver.told == [("ann", "mail.failed")]
    assert receiver.taken[0].data["data"]["reason"] == "550 no such mailbox"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (MailEvent.OPENED, ["mail.opened"]),
        (MailEvent.CLICKED, ["mail.clicked"]),
        (MailEvent.REPLIED, ["mail.replied", "mail.replied"]),
        (MailEvent.MACHINE_OPENED, []),
        (MailEvent.MACHINE_CLICKED, []),
    ],
)
def test_what_becomes_of_a_mail_is_told(
    hooks: Hooks, receiver: Receiver, event: MailEvent, told: list[str]
) -> None:
    """The first open and click of a mail are told, and each reply."""
    hooks.endpoint(receiver.url, kinds=["mail.opened", "mail.clicked", "mail.replied"])
    hooks.series("welcome", steps=[HI, BYE])
    hooks.enter("ann")
    call = validated(MailCall, {"contact": "ann", "series": "welcome", "step": "hi"}, "mail")
    for _ in range(2):
        hooks.perform(lambda work: note_all(event, work, [call]))
    hooks.deliver()
    assert [each.type for each in receiver.taken] == told


def test_a_conversion_is_told_once(hooks: Hooks, receiver: Receiver) -> None:
    """A conversion is told when the goal begins to hold, and not again."""
    hooks.endpoint(receiver.url, kinds=["contact.converted"])
    goal = [[{"field": "name", "operator": "is", "value": "Ann"}]]
    settings = {"goal_enabled": True, "goal_filters": goal}
    hooks.series("welcome", steps=[HI, BYE], settings=settings)
    [ann] = hooks.enter("ann")
    for _ in range(2):
        hooks.change_contact(ann, name="Ann")
    hooks.deliver()
    assert receiver.told == [("ann", "contact.converted")]


def test_a_manual_exit_is_told(hooks: Hooks, receiver: Receiver) -> None:
    """An exit outside the steps is told with its reason."""
    hooks.endpoint(receiver.url, kinds=["contact.exited"])
    hooks.series("welcome", steps=[HI, BYE])
    [ann] = hooks.enter("ann")
    hooks.remove(ann, "welcome")
    hooks.deliver()
    assert receiver.taken[0].data["data"]["reason"] == "manual"


def test_only_what_is_asked_for_is_written_down(hooks: Hooks, receiver: Receiver) -> None:
    """Without an endpoint no row is written; with a filter only rows of its kinds."""
    hooks.series("welcome")
    hooks.enter("ann")
    assert hooks.count(webhook_events) == 0
    hooks.endpoint(receiver.url, kinds=["mail.sent"])
    hooks.enter("bob")
    assert hooks.count(webhook_events) == hooks.count(webhook_deliveries) == 1


def test_an_endpoint_is_sent_what_its_filter_lets_through(hooks: Hooks, receiver: Receiver) -> None:
    """An endpoint gets the kinds and series of its own filter, whatever others get."""
    hooks.series("welcome")
    hooks.series("renewal")
    hooks.endpoint(receiver.url, kinds=["contact.entered"], series=["renewal"])
    hooks.endpoint("http://127.0.0.1:9/other", kinds=["mail.sent"])
    hooks.enter("ann")
    hooks.deliver()
    assert receiver.told == [("ann", "contact.entered")]
    assert receiver.taken[0].data["data"]["series"] == "renewal"

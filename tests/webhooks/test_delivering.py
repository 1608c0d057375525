"""Deliveries are retried for a day, in each contact's order, and never lost (contract §14)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from halo_engine.answers.operations.status import status
from halo_engine.tables import organizations, webhook_deliveries
from halo_engine.webhooks import delivering
from halo_engine.webhooks.attempts import FAILING_FOR, PAUSES, record
from halo_engine.webhooks.claiming import claim, due_endpoints
from halo_engine.webhooks.posting import EndpointClient
from tests.webhooks.receiver import Receiver, Taken
from tests.webhooks.sandbox import Hooks

ENTERED = ["contact.entered"]


class KilledError(BaseException):
    """The worker's process ends here."""


def always(status: int) -> Callable[[Taken], int]:
    """Answer every request with this status."""
    return lambda _: status


def test_a_message_is_tried_again_for_a_day_under_one_id(hooks: Hooks, receiver: Receiver) -> None:
    """A message is tried at once, after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, and then given
    up.
    """
    receiver.answers = always(500)
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    began, tried = hooks.now, []
    for pause in (timedelta(0), *PAUSES):
        assert hooks.deliver(pause - timedelta(seconds=1) if pause else pause) == (
            {} if pause else {"failed": 1}
        )
        if pause:
            assert hooks.deliver(timedelta(seconds=1)) == {"failed": 1}
        tried.append((hooks.now - began).total_seconds())
    assert tried == [0, 5, 305, 2105, 9305, 27305, 63305, 99305]
    assert hooks.deliver(timedelta(hours=12)) == {}
    assert len(receiver.taken) == len(tried)
    assert len({each.id for each in receiver.taken}) == 1
    assert hooks.count(webhook_deliveries, webhook_deliveries.c.state == "given_up") == 1


def test_what_was_copied_of_an_organisation_is_not_due_yet(hooks: Hooks) -> None:
    """Its own row comes last; until then its messages hold up no others."""
    hooks.endpoint("https://example.com", kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    with hooks.database.connect() as connection:
        is_due = [each.org_id for each in due_endpoints(connection, hooks.now)]
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(delete(organizations).where(organizations.c.id == hooks.org_id))
        is_due_yet = [each.org_id for each in due_endpoints(connection, hooks.now)]
        connection.rollback()
    assert hooks.org_id in is_due
    assert hooks.org_id not in is_due_yet


def test_a_contacts_next_message_waits_for_the_one_before(hooks: Hooks, receiver: Receiver) -> None:
    """A contact's next message waits for the one before it; other contacts' go out meanwhile."""
    receiver.answers = lambda _: 500 if len(receiver.taken) == 1 else 204
    hooks.endpoint(receiver.url, kinds=["contact.entered", "mail.sent"])
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    hooks.enter("bob")
    hooks.deliver(PAUSES[0])
    hooks.deliver()
    assert [type_ for name, type_ in receiver.told if name == "ann"] == [
        "contact.entered",
        "contact.entered",
        "mail.sent",
    ]
    assert [type_ for name, type_ in receiver.told if name == "bob"] == [
        "contact.entered",
        "mail.sent",
    ]


def test_an_endpoint_that_answers_410_is_switched_off(hooks: Hooks, receiver: Receiver) -> None:
    """A 410 switches the endpoint off; messages wait, and go out when it is on again."""
    receiver.answers = always(410)
    endpoint = hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    [need] = [each for each in hooks.perform(status).needs if "webhook" in each]
    since = "2026-06-01T12:00:00.000000+00:00"
    assert need.endswith(f"(127.0.0.1) is switched off (gone) since {since}: 1 wait")
    found = hooks.found(endpoint.id)
    assert (found.off_reason, found.off_since, found.problem) == (
        "gone",
        hooks.now,
        "it answered 410",
    )
    hooks.enter("bob")
    assert hooks.deliver(timedelta(days=1)) == {}
    receiver.answers = always(204)
    hooks.change(endpoint.id, off=False)
    assert hooks.deliver() == {"delivered": 2}
    assert sorted(set(receiver.told)) == [("ann", ENTERED[0]), ("bob", ENTERED[0])]


@pytest.mark.parametrize(
    ("change", "off_reason"),
    [({"url": "https://new.acme.example"}, None), ({"off": True}, "operator")],
)
def test_an_answer_that_comes_late_changes_nothing_of_a_changed_endpoint(
    hooks: Hooks, receiver: Receiver, change: dict[str, Any], off_reason: str | None
) -> None:
    """A late answer of the old URL neither switches the new one off nor hides who did."""
    endpoint = hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")

    def answer(_: Taken) -> int:
        hooks.change(endpoint.id, **change)
        return 410

    receiver.answers = answer
    assert hooks.deliver() == {"failed": 1}
    found = hooks.found(endpoint.id)
    assert (found.off_reason, found.failing_since, found.problem) == (off_reason, None, None)


def test_an_endpoint_is_switched_off_after_five_days_of_failure(
    hooks: Hooks, receiver: Receiver
) -> None:
    """Five days of failure switch an endpoint off; a success in between starts the count anew."""
    receiver.answers = always(500)
    endpoint = hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    assert hooks.found(endpoint.id).failing_since == hooks.now
    hooks.deliver(FAILING_FOR - timedelta(seconds=1))
    assert hooks.found(endpoint.id).off_reason is None
    hooks.enter("bob")
    hooks.deliver(timedelta(hours=1))
    assert hooks.found(endpoint.id).off_reason == "failing"


def test_an_endpoint_that_failed_is_given_one_message_at_a_time(
    hooks: Hooks, receiver: Receiver
) -> None:
    """After a failure an endpoint rests and then gets one message, so a backlog does not flood
    it.
    """
    receiver.answers = always(503)
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.deliver()
    hooks.enter(*(f"c{number}" for number in range(20)))
    assert hooks.deliver() == {}
    assert hooks.deliver(timedelta(seconds=5)) == {"failed": 1}
    assert hooks.deliver(timedelta(seconds=29)) == {}
    assert hooks.deliver(timedelta(seconds=1)) == {"failed": 1}


def test_a_redirect_is_a_failure_and_not_followed(hooks: Hooks, receiver: Receiver) -> None:
    """A redirect is a failure, so no endpoint can send a message elsewhere."""
    receiver.answers = always(302)
    receiver.headers["location"] = receiver.url
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    assert hooks.deliver() == {"failed": 1}
    assert len(receiver.taken) == 1


def test_an_endpoint_that_is_down_holds_up_no_other(hooks: Hooks, receiver: Receiver) -> None:
    """An endpoint that is down delays no other."""
    hooks.endpoint("http://127.0.0.1:1/halo", kinds=ENTERED)
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    assert hooks.deliver() == {"delivered": 1, "failed": 1}


def _killed_before_the_post(monkeypatch: pytest.MonkeyPatch) -> None:
    def post(*_: Any) -> None:
        raise KilledError

    monkeypatch.setattr(EndpointClient, "post", post)


def _killed_after_the_post(monkeypatch: pytest.MonkeyPatch) -> None:
    post = EndpointClient.post

    def posted(*given: Any) -> None:
        post(*given)
        raise KilledError

    monkeypatch.setattr(EndpointClient, "post", posted)


def _killed_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_recorded(*_: Any, **__: Any) -> None:
        raise KilledError

    monkeypatch.setattr(delivering, "record", not_recorded)


def _killed_before_the_commit_of_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def recorded(*given: Any, **named: Any) -> None:
        record(*given, **named)
        raise KilledError

    monkeypatch.setattr(delivering, "record", recorded)


def _killed_before_the_commit_of_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    def claimed(*given: Any) -> None:
        claim(*given)
        raise KilledError

    monkeypatch.setattr(delivering, "claim", claimed)


KILLS = {
    "in the transaction that claims": (_killed_before_the_commit_of_the_claim, 0),
    "after the claim, before the message is sent": (_killed_before_the_post, 0),
    "after it was sent, before the answer is known": (_killed_after_the_post, 1),
    "after the answer, before it is recorded": (_killed_before_it_is_recorded, 1),
    "in the transaction that records": (_killed_before_the_commit_of_the_record, 1),
}


@pytest.mark.parametrize(("kill", "sent"), KILLS.values(), ids=KILLS)
def test_a_worker_that_is_killed_loses_nothing(
    hooks: Hooks,
    receiver: Receiver,
    kill: Callable[[pytest.MonkeyPatch], None],
    sent: int,
) -> None:
    """After a worker's death another sends the message under the same id once the lease ends, then
    the later ones.
    """
    endpoint = hooks.endpoint(receiver.url, kinds=["contact.entered", "mail.sent"])
    hooks.series("welcome")
    hooks.enter("ann")
    deliver_and_die(hooks, kill)
    assert [each.type for each in receiver.taken] == ENTERED * sent
    expire_leases(hooks)
    assert hooks.deliver() == {"delivered": 2}
    assert [each.type for each in receiver.taken] == [*ENTERED * (sent + 1), "mail.sent"]
    assert len({each.id for each in receiver.taken if each.type == ENTERED[0]}) == 1
    receiver.verified(endpoint.secret)


def test_no_other_worker_sends_a_leased_message(hooks: Hooks, receiver: Receiver) -> None:
    """Until the lease ends no other worker sends the contact's messages."""
    hooks.endpoint(receiver.url, kinds=ENTERED)
    hooks.series("welcome")
    hooks.enter("ann")
    deliver_and_die(hooks, _killed_before_the_post)
    assert hooks.deliver() == {}


def deliver_and_die(hooks: Hooks, kill: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Deliver until the worker is killed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill(monkeypatch)
        with pytest.raises(KilledError):
            hooks.deliver()


def expire_leases(hooks: Hooks) -> None:
    """Let the leases of all workers expire."""
    rows = webhook_deliveries
    expired = update(rows).where(rows.c.org_id == hooks.org_id, rows.c.lease_token.is_not(None))
    past = expired.values(lease_expires_at=hooks.now - timedelta(days=365))
    hooks.perform(lambda work: work.connection.execute(past))


def test_a_replay_sends_what_happened_since_then_under_the_same_ids(
    hooks: Hooks, receiver: Receiver
) -> None:
    """A replay sends events since then in each contact's order, under their ids, and no earlier
    ones.
    """
    endpoint = hooks.endpoint(receiver.url, kinds=["contact.entered", "mail.sent"])
    hooks.series("welcome")
    hooks.enter("ann")
    hooks.now += timedelta(hours=1)
    hooks.enter("bob")
    hooks.deliver()
    before = {(each.contact, each.type): each.id for each in receiver.taken}
    receiver.taken.clear()
    assert hooks.replay(endpoint.id, "2026-06-01T12:30:00+00:00").messages == 2
    hooks.deliver()
    assert receiver.told == [("bob", "contact.entered"), ("bob", "mail.sent")]
    assert all(before[each.contact, each.type] == each.id for each in receiver.taken)

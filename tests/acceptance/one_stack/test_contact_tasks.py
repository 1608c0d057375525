"""What applications and operators do with contacts, through a real worker and a real broker."""

from datetime import UTC, datetime, timedelta
from typing import Any

from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.tables import audit_log, end_users, subscription_members, suppressions
from tests.acceptance.conftest import Stack
from tests.contacts.sandbox import rows


def test_stripe_and_integrations_by_tasks(stack: Stack) -> None:
    """Stripe's list and webhook, and an integration's contacts, are taken by tasks and answered as
    data.
    """
    org = stack.organization()

    def ask(task: str, **call: Any) -> Any:
        return stack.ask(f"halo.{task}", widget_key=org, **call)

    subscription = {"id": "sub_1", "customer": "cus_1", "metadata": {"user_id": "ann"}}
    assert ask("stripe.sync", subscriptions=[{**subscription, "status": "trialing"}]) == {
        "created": 1,
        "updated": 0,
        "passed_over": 0,
        "errors": [],
        "warnings": [],
    }
    event = {
        "id": "evt_1",
        "type": "customer.subscription.trial_will_end",
        "created": int(datetime.now(UTC).timestamp()),
        "data": {"object": {**subscription, "metadata": {}}},
    }
    answer = ask("stripe.webhook", event=event)
    assert (answer["created"], answer["event"]) == (False, "stripe.trial_will_end")
    synced = ask("contacts.sync", source="crm", contacts=[{"user_id": "ann"}, {"user_id": "ben"}])
    assert (synced["created"], synced["updated"]) == (1, 1)


def test_a_suppression_is_lifted_by_a_task(stack: Stack) -> None:
    """A task lifts the suppression that a complaint made; it needs a reason."""
    org = stack.organization()
    stack.ask("halo.identify", widget_key=org, user_id="ann", traits={"email": "ann@a.example"})
    stack.ask("halo.mail.complained", widget_key=org, contact="ann")
    refused = stack.ask("halo.contacts.unsuppress", org=org, contact="ann")["refused"]
    assert refused["status"] == 400
    lifted = stack.ask("halo.contacts.unsuppress", org=org, contact="ann", because="by phone")
    assert set(lifted["lifted"]) == {"complained_at", "unsubscribed_at"}
    assert stack.sandbox(org).count(suppressions) == 0
    assert stack.sandbox(org).count(audit_log) == 1


def test_erasing_by_tasks(stack: Stack) -> None:
    """Tasks erase a contact and then the organisation; later calls for them are refused."""
    org, other = stack.organization(), stack.organization()
    for each in (org, other):
        for name in ("ann", "ben"):
            stack.ask("halo.identify", widget_key=each, user_id=name)
    assert "id" in stack.ask("halo.contacts.erase", widget_key=org, contact="ann")
    assert stack.sandbox(org).count(end_users) == 1
    answer = stack.ask("halo.organizations.erase", org=org)
    assert answer["done"]
    gone = stack.ask("halo.organizations.erase", org=org)
    assert gone["refused"]["code"] == "unknown_organisation"
    gone = stack.ask("halo.identify", widget_key=org, user_id="ann")
    assert gone["refused"]["code"] == "unknown_widget_key"
    assert stack.sandbox(other).count(end_users) == 2


def test_late_calls_undo_nothing(stack: Stack) -> None:
    """The order of sending decides: the call's own `sent_at`, else when its message was first
    delivered.
    """
    org = stack.organization()
    now = datetime.now(UTC)

    def call(plan: str, **more: Any) -> dict[str, Any]:
        return {"widget_key": org, "user_id": "ann", "traits": {"plan": plan}, **more}

    def custom_fields() -> list[Any]:
        return stack.sandbox(org).perform(lambda work: rows(work, end_users, "custom_fields"))

    stack.ask("halo.identify", **call("new", sent_at=now))
    stack.ask("halo.identify", **call("old", sent_at=(now - timedelta(minutes=2)).isoformat()))
    first = now - timedelta(minutes=1)
    answer = stack.redeliver("halo.identify", first, **call("redelivered"))
    assert answer["created"] is False
    assert custom_fields() == [({"plan": "new"},)]
    # A door at which it makes no difference takes the sending time all the same.
    captured = stack.ask("halo.leads.capture", widget_key=org, email="lea@a.example", sent_at=now)
    assert captured["created"] is True
    stack.ask("halo.identify", **call("newer"))
    assert custom_fields() == [({"plan": "newer"},), ({},)]


def test_a_redelivered_subscription_undoes_no_unsubscription(stack: Stack) -> None:
    """A subscription that is redelivered after its worker died does not undo an unsubscription sent
    later.
    """
    org = stack.organization()
    stack.sandbox(org).perform(lambda work: create_list(work, "news"))
    stack.ask("halo.identify", widget_key=org, user_id="ann", traits={"email": "ann@a.example"})
    joins = {"widget_key": org, "contact": "ann", "list": "news"}
    leaves = {"widget_key": org, "contact": "ann"}
    first = datetime.now(UTC)
    for left in ({"list": "news"}, {}):
        stack.ask("halo.lists.unsubscribe", **leaves, **left)
        assert "id" in stack.redeliver("halo.lists.subscribe", first, **joins)
        assert stack.sandbox(org).count(subscription_members) == 0
    assert stack.sandbox(org).count(suppressions) == 1

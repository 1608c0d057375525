"""What waits for two contacts that become one: mail under caps, a place among those who are held,
an early gate; and who names lists and series (contract §19 to §22).
"""

from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.enrollment.releasing import release_held
from halo_engine.organizations.settings import ChangeOrganizationCall
from halo_engine.organizations.storing import change_organization
from halo_engine.tables import automation_enrollments, automation_recipients, automations, end_users
from halo_engine.work import Work
from tests.contacts.stripe.test_stripe_users import created_lead, named_as_ann
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox, new_sandbox

_numbers = count(1)
HOUR = timedelta(hours=1)
LATER: dict[str, Any] = {**EMAIL, "key": "later", "delay": "300d"}


@pytest.fixture
def sandbox(shared_database: Engine) -> Sandbox:
    """An organisation that may send marketing, with one list."""
    made = new_sandbox(shared_database, f"merged-{next(_numbers)}-{uuid4()}")
    ready = {"verified_domain": True, "company_footer": "Acme"}
    change = ChangeOrganizationCall.model_validate(ready)
    made.perform(lambda work: change_organization(work.connection, work.org.key, change))
    made.perform(lambda work: create_list(work, "news"))
    return made


def _identify(work: Work, call: IdentifyCall) -> None:
    identify(work, call)


def comes(sandbox: Sandbox, *users: str) -> None:
    """Let users come; what is due is handled."""
    for user in users:
        call = IdentifyCall(user_id=user, traits={"email": f"{user}@b.example"})
        sandbox.perform(partial(_identify, call=call))
        sandbox.tick()


def lead_comes(sandbox: Sandbox) -> None:
    """Let Stripe tell of a customer whose user it does not name."""
    sandbox.perform(created_lead)
    sandbox.tick()


def becomes_ann(sandbox: Sandbox) -> None:
    """Let the lead turn out to be Ann."""
    sandbox.perform(named_as_ann)
    sandbox.tick()


def runs(sandbox: Sandbox, key: str) -> list[str | None]:
    """Return who entered a series, in order."""
    run, series, contact = automation_enrollments, automations, end_users
    found = (
        select(contact.c.external_id)
        .join(run, (run.c.org_id == contact.c.org_id) & (run.c.end_user_id == contact.c.id))
        .join(series, (series.c.org_id == run.c.org_id) & (series.c.id == run.c.automation_id))
        .where(series.c.key == key, run.c.ended_at.is_(None))
        .order_by(run.c.id)
    )
    return sandbox.perform(
        lambda work: list(work.connection.scalars(found.where(run.c.org_id == work.org_id)))
    )


def test_the_mail_of_both_counts_for_caps(sandbox: Sandbox) -> None:
    """A row that was due in time waits until the mail that either got allows one more."""
    caps = [{"at_most": 2, "within": "24h"}]
    change = ChangeOrganizationCall.model_validate({"frequency_caps": caps})
    sandbox.perform(lambda work: change_organization(work.connection, work.org.key, change))
    sandbox.series("news", kind="marketing", steps=[EMAIL, {**EMAIL, "key": "b", "delay": "1h"}])
    lead_comes(sandbox)
    sandbox.now += HOUR / 2
    comes(sandbox, "ann")
    becomes_ann(sandbox)
    sandbox.tick(HOUR / 2)
    waiting = select(automation_recipients.c.scheduled_for).where(
        automation_recipients.c.status == "pending"
    )
    of = automation_recipients.c.org_id
    due = sandbox.perform(
        lambda work: list(work.connection.scalars(waiting.where(of == work.org_id)))
    )
    assert due == [NOON + 24 * HOUR]
    assert len(sandbox.transport.sent) == 2
    sandbox.tick(23 * HOUR)
    assert len(sandbox.transport.sent) == 3


def test_the_earlier_place_among_those_who_are_held_stays(sandbox: Sandbox) -> None:
    """The user is released where the lead was held, before whoever came between the two."""
    narrow = {"surge": {"at_most": 1, "within": "30d"}}
    sandbox.series("narrow", settings=narrow, steps=[LATER])
    comes(sandbox, "first")
    lead_comes(sandbox)
    comes(sandbox, "bob", "ann")
    becomes_ann(sandbox)
    assert runs(sandbox, "narrow") == ["first"]
    sandbox.perform(lambda work: release_held(work, "narrow"))
    assert runs(sandbox, "narrow") == ["first", "ann", "bob"]


def test_an_early_gate_opens_for_what_the_other_did(sandbox: Sandbox) -> None:
    """The run goes on as the user's, and the user's event has fired since it reached the gate."""
    comes(sandbox, "ann")
    gate = {"type": "event_fired", "value": "paid", "early": True}
    sandbox.series("gate", steps=[{"key": "g", "delay": "3d", "condition": gate}, EMAIL])
    lead_comes(sandbox)
    sandbox.now += HOUR
    sandbox.perform(lambda work: track(work, TrackCall(event="paid", user_id="ann")))
    sandbox.tick()
    assert sandbox.transport.sent == []
    becomes_ann(sandbox)
    assert [mail["Subject"] for mail in sandbox.transport.sent] == ["Hi"]


def test_the_lists_and_series_of_the_other_are_changes(sandbox: Sandbox) -> None:
    """The user is on the lead's list and in its series from then on: it enters what names them."""
    for key, named, value in (("on", "list:news", True), ("inside", "series:first", "active")):
        sandbox.series(
            key,
            entry_trigger="segment_match",
            contact_type="user",
            audience_type="segment",
            audience_filters=[{"field": named, "operator": "is", "value": value}],
            steps=[LATER],
        )
    comes(sandbox, "ann")
    sandbox.series("first", steps=[LATER])
    lead_comes(sandbox)
    call = SubscribeCall(contact="ann@a.example", list="news")
    sandbox.perform(lambda work: subscribe(work, call))
    sandbox.tick()
    assert (runs(sandbox, "on"), runs(sandbox, "inside")) == ([], [])
    becomes_ann(sandbox)
    assert (runs(sandbox, "on"), runs(sandbox, "inside")) == (["ann"], ["ann"])

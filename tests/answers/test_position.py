"""The position of an enrolled contact: its step, since when, and what is next and when (§10)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from halo_engine.answers.explain.position import Position
from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.reasons import Status
from halo_engine.mail.sending.stops import note_outage, stop_sending
from halo_engine.pipeline.advance import advance
from halo_engine.series.lifecycle import stop
from halo_engine.tables import automation_recipients, organizations
from tests.answers.sandbox import BY_PLAN, BYE, HELLO, Sandbox
from tests.contacts.sandbox import NOW, add_message

UTC_ZONE = ZoneInfo("UTC")
LATER: dict[str, Any] = {**HELLO, "delay": "2h"}
NIGHT = {"days": ["mon"], "from": "20:00", "to": "22:00"}


def where(sandbox: Sandbox, name: str = "ann") -> Position:
    """Return an active contact's position."""
    found = sandbox.explain(name).position
    assert found is not None
    return found


def test_an_email_that_waits(sandbox: Sandbox) -> None:
    """Explain names the step, since when, and when the email will be sent."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER, BYE])
    sandbox.wait(hours=1)
    assert sandbox.explain("ann").why == "It is in the series, at step ‘hello’."
    assert where(sandbox) == Position(
        number=1,
        enrolled_at=NOW,
        step="hello",
        status=Status.PENDING,
        since=NOW,
        next="The email will be sent, then comes step ‘bye’.",
        next_at=NOW + timedelta(hours=2),
    )


def test_an_overdue_email_is_sent_now(sandbox: Sandbox) -> None:
    """The next instant is now, not in the past; after the last step the run ends."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER])
    sandbox.wait(hours=3)
    assert where(sandbox).next == "The email will be sent, then the run ends."
    assert where(sandbox).next_at == NOW + timedelta(hours=3)


def test_an_email_that_is_held_has_no_time(sandbox: Sandbox) -> None:
    """Explain says who stopped the mail, since when, and what follows, but not when."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[HELLO, BYE])
    connection = sandbox.work.connection
    stop_sending(connection, sandbox.work.org.key, "eve")
    its = organizations.c.id == sandbox.work.org_id
    stopped = connection.execute(select(organizations.c.sending_stopped_at).where(its)).scalar_one()
    since = on_the_clock(stopped, UTC_ZONE)
    assert (where(sandbox).next, where(sandbox).next_at) == (
        (
            f"The email is held: the organisation's mail is stopped since {since} by eve."
            " Once that is over, it will be sent, then comes step ‘bye’."
        ),
        None,
    )
    stop_sending(connection, None, "ops")
    assert f"The email is held: all mail is stopped since {since} by ops." in where(sandbox).next


def test_an_email_waits_for_a_server_that_is_down(sandbox: Sandbox) -> None:
    """A due email has no instant; a later one has, and may wait too."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER])
    note_outage(sandbox.work.connection, "Connection refused", NOW)
    assert (where(sandbox).next, where(sandbox).next_at) == (
        (
            "The email will be sent, then the run ends. Now the mail server is down since"
            " 2026-06-01 09:00 UTC: if it still is then, it waits."
        ),
        NOW + timedelta(hours=2),
    )
    sandbox.wait(hours=3)
    assert (where(sandbox).next, where(sandbox).next_at) == (
        (
            "The email is held: the mail server is down since 2026-06-01 09:00 UTC."
            " Once that is over, it will be sent, then the run ends."
        ),
        None,
    )


def test_an_email_outside_its_window_waits_for_the_opening(sandbox: Sandbox) -> None:
    """The email waits for the opening even if the window changed after it was scheduled."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER])
    sandbox.series(active=False, **BY_PLAN, steps=[{**LATER, "send_window": NIGHT}])
    assert where(sandbox).next == "The email will be sent, then the run ends."
    assert where(sandbox).next_at == datetime(2026, 6, 1, 20, tzinfo=UTC)


def test_an_email_that_is_being_sent(sandbox: Sandbox) -> None:
    """A worker has leased the row."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    lease(sandbox)
    assert (where(sandbox).status, where(sandbox).next) == (
        Status.PROCESSING,
        "The email is being sent.",
    )


def test_without_an_address_the_step_is_skipped(sandbox: Sandbox) -> None:
    """The contact goes on to the next step."""
    sandbox.pro("ann", email=None)
    sandbox.series(**BY_PLAN)
    assert where(sandbox).next == (
        "As things stand, the step is skipped for want of an address, then comes step ‘bye’."
    )


def test_off_the_list_the_step_is_skipped(sandbox: Sandbox) -> None:
    """A list series without the exit rule ``unsubscribed`` skips the email."""
    sandbox.add("ann")
    sandbox.list("news", "ann")
    sandbox.list("other")
    sandbox.series(entry_trigger="manual", audience_type="subscription", subscription="news")
    sandbox.series(
        active=False, entry_trigger="manual", audience_type="subscription", subscription="other"
    )
    assert where(sandbox).next == (
        "As things stand, the step is skipped, since it left the list, then comes step ‘bye’."
    )


def test_a_condition_is_looked_at_as_things_stand(sandbox: Sandbox) -> None:
    """Explain says which way the condition would decide now."""
    gate = {"key": "gate", "delay": "1d", "condition": {"type": "user_property", "value": "mrr>5"}}
    sandbox.pro("ann", mrr=10)
    sandbox.pro("bob", mrr=1)
    sandbox.series(**BY_PLAN, steps=[gate, BYE])
    assert where(sandbox, "ann").next == (
        "As things stand, the condition is met, then comes step ‘bye’."
    )
    assert where(sandbox, "bob").next == (
        "As things stand, the condition is not met, and the enrollment ends."
    )
    assert where(sandbox, "bob").next_at == NOW + timedelta(days=1)


def test_what_machines_did_is_named_where_it_does_not_count(sandbox: Sandbox) -> None:
    """At a gate that asks what the reader did, unless the series counts machines (§16)."""
    gate = {"key": "gate", "delay": "1d", "condition": {"type": "link_clicked"}}
    series = {**BY_PLAN, "steps": [gate, BYE]}
    sandbox.pro("ann", "bob")
    sandbox.series(**series)
    for name, noted in (("ann", {"machine_clicked_at": NOW}), ("bob", {})):
        id_ = sandbox.saved().id
        first: dict[str, Any] = {"recipient_id": 1 if name == "ann" else 2, **noted}
        add_message(sandbox.work, sandbox.ids[name], id_, "bye", **first)
    shut = "As things stand, the condition is not met, and the enrollment ends."
    why = " Machines opened or clicked its emails, which does not count here."
    assert (where(sandbox, "ann").next, where(sandbox, "bob").next) == (shut + why, shut)
    sandbox.series(active=False, **series, settings={"count_machine_opens": True})
    assert where(sandbox, "ann").next.startswith("As things stand, the condition is met")


def test_a_removed_step_is_skipped(sandbox: Sandbox) -> None:
    """Explain names the next step."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER, BYE])
    sandbox.series(active=False, **BY_PLAN, steps=[BYE])
    assert where(sandbox).next == "The step was removed and is skipped, then comes step ‘bye’."


def test_a_step_that_is_behind_it_does_not_come_again(sandbox: Sandbox) -> None:
    """After steps were reordered, the answer skips the steps that the run will skip."""
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}}
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[gate, BYE])
    advance(sandbox.work, 10)
    sandbox.series(active=False, **BY_PLAN, steps=[BYE, gate])
    assert where(sandbox).next == "The email will be sent, then the run ends."


def test_an_exit_rule_that_will_fire_is_announced(sandbox: Sandbox) -> None:
    """Relative dates change without a signal; the rule is checked when the row is due."""
    recent = [[{"field": "last_seen", "operator": "after", "value": "-1d"}]]
    sandbox.add("ann", last_seen=NOW)
    sandbox.series(
        audience_type="segment",
        audience_filters=recent,
        settings={"exit_rules": ["segment_leave"]},
        steps=[{**HELLO, "delay": "3d"}],
    )
    sandbox.wait(days=2)
    assert where(sandbox).next == (
        "As things stand, it leaves the series (segment_leave) when its step is due."
    )
    assert where(sandbox).next_at == NOW + timedelta(days=3)


def test_nothing_happens_while_the_series_is_paused(sandbox: Sandbox) -> None:
    """While the series is paused there is no next instant."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER])
    sandbox.pause()
    assert where(sandbox).next == (
        "Nothing, until the series is resumed. Its step was scheduled for 2026-06-01 11:00 UTC."
    )
    assert where(sandbox).next_at is None


def test_a_stopped_series_is_not_resumed(sandbox: Sandbox) -> None:
    """For a stopped series whose removals were interrupted, explain says what ends the run."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[LATER])
    stop(sandbox.work, "s", "test")
    assert where(sandbox).next == (
        "Nothing but leaving: the series was stopped. Stop it again to end who is still in."
    )
    assert where(sandbox).next_at is None


def lease(sandbox: Sandbox) -> None:
    """Lease every row, as a worker does before it sends."""
    rows = automation_recipients
    sandbox.work.connection.execute(
        update(rows)
        .where(rows.c.org_id == sandbox.work.org_id)
        .values(status="processing", lease_token=uuid4(), lease_expires_at=func.now())
    )


def test_an_email_that_may_become_too_late_says_until_when_it_may_leave(sandbox: Sandbox) -> None:
    """That is counted from when its step was due first, whatever holds it back: mail that is
    stopped, or a pause (contract §20). Once it is too late, explain says so.
    """
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, steps=[{**LATER, "send_by": "6h"}, BYE])
    limit = (
        f" It is skipped if it has not left by {on_the_clock(NOW + timedelta(hours=8), UTC_ZONE)}."
    )
    assert where(sandbox).next == f"The email will be sent, then comes step ‘bye’.{limit}"
    sandbox.wait(hours=8)
    stop_sending(sandbox.work.connection, sandbox.work.org.key, "eve")
    assert where(sandbox).next.startswith("The email is held: ")
    assert where(sandbox).next.endswith(f"it will be sent, then comes step ‘bye’.{limit}")
    sandbox.wait(seconds=1)
    late = (
        "As things stand, the step is skipped, since its email is too late, then comes step ‘bye’."
    )
    assert where(sandbox).next == late
    sandbox.pause()
    assert where(sandbox).next.startswith("Nothing, until the series is resumed.")
    assert where(sandbox).next.endswith(limit)

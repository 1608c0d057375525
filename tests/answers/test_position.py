"""The position of an enrolled contact: its step, since when, and what is next and when (§10)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from halo_engine.answers.phrases import on_the_clock
from halo_engine.answers.position import Position
from halo_engine.delivery.stops import note_outage, stop_sending
from halo_engine.domain.reasons import Status
from halo_engine.pipeline.advance import advance
from halo_engine.series.lifecycle import stop
from halo_engine.tables import automation_recipients, organizations
from tests.answers.stage import BY_PLAN, BYE, HELLO, Stage
from tests.contacts.stage import NOW

UTC_ZONE = ZoneInfo("UTC")
LATER: dict[str, Any] = {**HELLO, "delay": "2h"}
NIGHT = {"days": ["mon"], "from": "20:00", "to": "22:00"}


def where(stage: Stage, name: str = "ann") -> Position:
    """Return an active contact's position."""
    found = stage.explain(name).whereabouts
    assert found is not None
    return found


def test_an_email_that_waits(stage: Stage) -> None:
    """It names the step, since when, and when the email will be sent."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER, BYE])
    stage.wait(hours=1)
    assert stage.explain("ann").why == "It is in the series, at step ‘hello’."
    assert where(stage) == Position(
        number=1,
        enrolled_at=NOW,
        step="hello",
        status=Status.PENDING,
        since=NOW,
        next="Its email is sent, then comes step ‘bye’.",
        next_at=NOW + timedelta(hours=2),
    )


def test_an_overdue_email_is_sent_now(stage: Stage) -> None:
    """The next instant is now, not in the past; after the last step the run ends."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER])
    stage.wait(hours=3)
    assert where(stage).next == "Its email is sent, then the series is over for it."
    assert where(stage).next_at == NOW + timedelta(hours=3)


def test_an_email_that_is_held_has_no_time(stage: Stage) -> None:
    """It says who stopped the mail, since when, and what follows, but not when."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[HELLO, BYE])
    connection = stage.work.connection
    stop_sending(connection, stage.work.org.key, "eve")
    its = organizations.c.id == stage.work.org_id
    stopped = connection.execute(select(organizations.c.sending_stopped_at).where(its)).scalar_one()
    since = on_the_clock(stopped, UTC_ZONE)
    assert (where(stage).next, where(stage).next_at) == (
        (
            f"Its email is held: the organisation's mail is stopped since {since} by eve."
            " When that is over it is sent, then comes step ‘bye’."
        ),
        None,
    )
    stop_sending(connection, None, "ops")
    assert f"Its email is held: all mail is stopped since {since} by ops." in where(stage).next


def test_an_email_waits_for_a_server_that_is_down(stage: Stage) -> None:
    """A due email has no instant; a later one has, and may wait too."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER])
    note_outage(stage.work.connection, "Connection refused", NOW)
    assert (where(stage).next, where(stage).next_at) == (
        (
            "Its email is sent, then the series is over for it. Now the mail server is down since"
            " 2026-06-01 09:00 UTC: if it still is then, it waits."
        ),
        NOW + timedelta(hours=2),
    )
    stage.wait(hours=3)
    assert (where(stage).next, where(stage).next_at) == (
        (
            "Its email is held: the mail server is down since 2026-06-01 09:00 UTC."
            " When that is over it is sent, then the series is over for it."
        ),
        None,
    )


def test_an_email_outside_its_window_waits_for_the_opening(stage: Stage) -> None:
    """Also if the window changed after the email was scheduled."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER])
    stage.series(active=False, **BY_PLAN, steps=[{**LATER, "send_window": NIGHT}])
    assert where(stage).next == "Its email is sent, then the series is over for it."
    assert where(stage).next_at == datetime(2026, 6, 1, 20, tzinfo=UTC)


def test_an_email_that_is_being_sent(stage: Stage) -> None:
    """A worker has leased the row."""
    stage.pro("ann")
    stage.series(**BY_PLAN)
    lease(stage)
    assert (where(stage).status, where(stage).next) == (
        Status.PROCESSING,
        "Its email is being sent.",
    )


def test_without_an_address_the_step_is_skipped(stage: Stage) -> None:
    """The contact goes on to the next step."""
    stage.pro("ann", email=None)
    stage.series(**BY_PLAN)
    assert where(stage).next == (
        "As things stand, the step is skipped for want of an address, then comes step ‘bye’."
    )


def test_off_the_list_the_step_is_skipped(stage: Stage) -> None:
    """A list series without the exit rule ``unsubscribed`` skips the email."""
    stage.add("ann")
    stage.list("news", "ann")
    stage.list("other")
    stage.series(entry_trigger="manual", audience_type="subscription", subscription="news")
    stage.series(
        active=False, entry_trigger="manual", audience_type="subscription", subscription="other"
    )
    assert where(stage).next == (
        "As things stand, the step is skipped, since it left the list, then comes step ‘bye’."
    )


def test_a_condition_is_looked_at_as_things_stand(stage: Stage) -> None:
    """It says which way the gate would decide now."""
    gate = {"key": "gate", "delay": "1d", "condition": {"type": "user_property", "value": "mrr>5"}}
    stage.pro("ann", mrr=10)
    stage.pro("bob", mrr=1)
    stage.series(**BY_PLAN, steps=[gate, BYE])
    assert where(stage, "ann").next == (
        "As things stand, the condition is met, then comes step ‘bye’."
    )
    assert where(stage, "bob").next == (
        "As things stand, the condition is not met, and the enrollment ends."
    )
    assert where(stage, "bob").next_at == NOW + timedelta(days=1)


def test_a_removed_step_is_skipped(stage: Stage) -> None:
    """It names the next step."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER, BYE])
    stage.series(active=False, **BY_PLAN, steps=[BYE])
    assert where(stage).next == "The step was removed and is skipped, then comes step ‘bye’."


def test_a_step_that_is_behind_it_does_not_come_again(stage: Stage) -> None:
    """After steps were reordered, the answer skips those that the run will skip."""
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}}
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[gate, BYE])
    advance(stage.work, 10)
    stage.series(active=False, **BY_PLAN, steps=[BYE, gate])
    assert where(stage).next == "Its email is sent, then the series is over for it."


def test_an_exit_rule_that_will_fire_is_announced(stage: Stage) -> None:
    """Relative dates change without a signal; the rule is checked when the row is due."""
    recent = [[{"field": "last_seen", "operator": "after", "value": "-1d"}]]
    stage.add("ann", last_seen=NOW)
    stage.series(
        audience_type="segment",
        audience_filters=recent,
        settings={"exit_rules": ["segment_leave"]},
        steps=[{**HELLO, "delay": "3d"}],
    )
    stage.wait(days=2)
    assert where(stage).next == (
        "As things stand, it leaves the series (segment_leave) when its step is due."
    )
    assert where(stage).next_at == NOW + timedelta(days=3)


def test_nothing_happens_while_the_series_is_paused(stage: Stage) -> None:
    """There is no next instant."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER])
    stage.pause()
    assert where(stage).next == (
        "Nothing, until the series is resumed. Its step was scheduled for 2026-06-01 11:00 UTC."
    )
    assert where(stage).next_at is None


def test_a_stopped_series_is_not_resumed(stage: Stage) -> None:
    """Where the removal of everybody was interrupted, it says what ends it."""
    stage.pro("ann")
    stage.series(**BY_PLAN, steps=[LATER])
    stop(stage.work, "s", "test")
    assert where(stage).next == (
        "Nothing but leaving: the series was stopped. Stop it again to end who is still in."
    )
    assert where(stage).next_at is None


def lease(stage: Stage) -> None:
    """Lease every row, as a worker does before it sends."""
    rows = automation_recipients
    stage.work.connection.execute(
        update(rows)
        .where(rows.c.org_id == stage.work.org_id)
        .values(status="processing", lease_token=uuid4(), lease_expires_at=func.now())
    )

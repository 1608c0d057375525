"""The funnel: how far contacts came, step by step (contract §1, §7, §9)."""

from sqlalchemy import insert, select, update

from halo_engine.answers.funnel import funnel
from halo_engine.contacts.bounce_reports import note_bounces
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.bounces import Bounce
from halo_engine.domain.reasons import ExitReason
from halo_engine.pipeline.advance import advance
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from tests.answers.stage import BY_PLAN, BYE, HELLO, Stage
from tests.contacts.stage import rows, statements

NO_MAIL = {"sent": 0, "opened": 0, "clicked": 0, "replied": 0, "failed": 0, "unknown": 0}


def test_contacts_enrollments_and_steps_are_counted(stage: Stage) -> None:
    """By status and step, in order; a removed step is shown while somebody is at it."""
    stage.pro("ann", "bob")
    stage.pro("noaddress", email=None)
    stage.series(**BY_PLAN, settings={"reenroll_enabled": True})
    stage.end("bob", ExitReason.REPLIED)
    advance(stage.work, 100)
    mailed(stage, "ann")
    convert(stage, "ann")
    stage.series(active=False, **BY_PLAN, steps=[BYE])
    with statements(stage.work.connection) as seen:
        found = funnel(stage.work, stage.saved())
    assert len(seen) - 3 == 6
    assert found.model_dump(mode="json") == {
        "series": "s",
        "enrolled": 3,
        "enrollments": 3,
        "active": 2,
        "converted": 1,
        "ended": {"replied": 1},
        "bounces": {},
        "steps": [
            {
                "step": "bye",
                "removed": False,
                "recipients": {"pending": 1},
                "skipped": {},
                **NO_MAIL,
            },
            {
                "step": "hello",
                "removed": True,
                "recipients": {"exited": 1, "processing": 1, "skipped": 1},
                "skipped": {"no_email": 1},
                **NO_MAIL,
                "sent": 1,
                "opened": 1,
            },
        ],
    }


def test_mails_that_came_back_are_counted_by_reason(stage: Stage) -> None:
    """Only this series' mails count."""
    stage.pro("ann", "bob")
    stage.series(**BY_PLAN)
    advance(stage.work, 100)
    mailed(stage, "ann")
    [(mail,)] = rows(stage.work, messages, "recipient_id")
    for reason in (BounceReason.RATE, BounceReason.MAILBOX_FULL, BounceReason.RATE):
        note_bounces(stage.work, {mail: Bounce(False, reason)})
    found = funnel(stage.work, stage.saved())
    assert list(found.bounces.items()) == [("rate", 2), ("mailbox_full", 1)]


def test_a_removed_step_that_nobody_reached_is_left_out(stage: Stage) -> None:
    """A draft has no counts."""
    stage.series(active=False, **BY_PLAN)
    stage.series(active=False, **BY_PLAN, steps=[HELLO])
    found = funnel(stage.work, stage.saved())
    assert [each.step for each in found.steps] == ["hello"]
    assert (found.enrolled, found.enrollments, found.active, found.ended) == (0, 0, 0, {})


def test_the_counters_outlive_a_reenrollment(stage: Stage) -> None:
    """Skipped, failed and unknown still count after re-enrollment cleared the rows."""
    stage.add("ann", "bob", "cid", "dan")
    again = {"reenroll_enabled": True}
    stage.series(entry_trigger="event", settings={"entry_event_name": "go", **again})
    for name in stage.ids:
        stage.fires(name, "go")
    stage.change("ann", email=None)
    advance(stage.work, 100)
    stage.change("ann", email="ann@a.example")
    finish(stage, "bob", "failed", "550 no such user")
    finish(stage, "cid", "failed", "outcome_unknown")
    mailed(stage, "cid", state="unknown", sent_at=None, opened_at=None)
    finish(stage, "dan", "skipped", "unsubscribed")
    before = funnel(stage.work, stage.saved()).steps
    hello = before[0].model_dump()
    assert hello["skipped"] == {"no_email": 1, "unsubscribed": 1}
    assert (hello["failed"], hello["unknown"], hello["sent"]) == (1, 1, 0)
    for name in stage.ids:
        stage.end(name)
        stage.fires(name, "go")
    after = funnel(stage.work, stage.saved()).steps
    assert after[0].recipients == {"pending": 4}
    assert [each.model_dump(exclude={"recipients"}) for each in after] == [
        each.model_dump(exclude={"recipients"}) for each in before
    ]
    finish(stage, "bob", "failed", "550 no such user")
    finish(stage, "dan", "skipped", "unsubscribed")
    again_after = funnel(stage.work, stage.saved()).steps[0]
    assert again_after.skipped == {"no_email": 1, "unsubscribed": 2}
    assert again_after.failed == 2


def finish(stage: Stage, name: str, status: str, reason: str) -> None:
    """End the contact's active row at the first step like this."""
    rows = automation_recipients
    [first, *_] = stage.saved().steps
    stage.work.connection.execute(
        update(rows)
        .where(
            rows.c.org_id == stage.work.org_id,
            rows.c.end_user_id == stage.ids[name],
            rows.c.step_id == first.id,
        )
        .values(
            status=status,
            reason=reason,
            finished_at=stage.work.now,
            lease_token=None,
            lease_expires_at=None,
        )
    )


def mailed(stage: Stage, name: str, **values: object) -> None:
    """Record the contact's first email as sent and opened, or as given."""
    rows = automation_recipients
    row = stage.work.connection.execute(
        select(rows.c.id, rows.c.step_id, rows.c.automation_id).where(
            rows.c.org_id == stage.work.org_id, rows.c.end_user_id == stage.ids[name]
        )
    ).one()
    now = stage.work.now
    stage.work.connection.execute(
        insert(messages).values(
            org_id=stage.work.org_id,
            recipient_id=row.id,
            end_user_id=stage.ids[name],
            automation_id=row.automation_id,
            enrollment_number=1,
            step_id=row.step_id,
            message_id=name,
            to_address=f"{name}@a.example",
            intended_at=now,
            **{"state": "sent", "sent_at": now, "opened_at": now, **values},
        )
    )


def convert(stage: Stage, name: str) -> None:
    """Record the contact's conversion."""
    runs = automation_enrollments
    stage.work.connection.execute(
        update(runs)
        .where(runs.c.org_id == stage.work.org_id, runs.c.end_user_id == stage.ids[name])
        .values(converted_at=stage.work.now)
    )

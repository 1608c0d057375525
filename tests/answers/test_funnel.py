"""The funnel: how far contacts came, step by step (contract §1, §7, §9)."""

from sqlalchemy import insert, select, update

from halo_engine.answers.funnel import funnel
from halo_engine.domain.reasons import ExitReason
from halo_engine.pipeline.advance import advance
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from tests.answers.stage import BY_PLAN, BYE, HELLO, Stage
from tests.contacts.stage import statements

NO_MAIL = {"sent": 0, "opened": 0, "clicked": 0, "replied": 0}


def test_contacts_enrollments_and_steps_are_counted(stage: Stage) -> None:
    """By status and step, in order; a step that was removed is shown while somebody is there."""
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
    assert len(seen) - 3 == 4
    assert found.model_dump(mode="json") == {
        "series": "s",
        "enrolled": 3,
        "enrollments": 3,
        "active": 2,
        "converted": 1,
        "ended": {"replied": 1},
        "steps": [
            {"step": "bye", "removed": False, "recipients": {"pending": 1}, **NO_MAIL},
            {
                "step": "hello",
                "removed": True,
                "recipients": {"exited": 1, "processing": 1, "skipped": 1},
                **NO_MAIL,
                "sent": 1,
                "opened": 1,
            },
        ],
    }


def test_a_removed_step_that_nobody_reached_is_left_out(stage: Stage) -> None:
    """Nor is anything counted in a draft."""
    stage.series(active=False, **BY_PLAN)
    stage.series(active=False, **BY_PLAN, steps=[HELLO])
    found = funnel(stage.work, stage.saved())
    assert [each.step for each in found.steps] == ["hello"]
    assert (found.enrolled, found.enrollments, found.active, found.ended) == (0, 0, 0, {})


def mailed(stage: Stage, name: str) -> None:
    """Write that the contact's first email was sent and opened."""
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
            state="sent",
            message_id=name,
            to_address=f"{name}@a.example",
            intended_at=now,
            sent_at=now,
            opened_at=now,
        )
    )


def convert(stage: Stage, name: str) -> None:
    """Write that the contact's enrollment converted."""
    runs = automation_enrollments
    stage.work.connection.execute(
        update(runs)
        .where(runs.c.org_id == stage.work.org_id, runs.c.end_user_id == stage.ids[name])
        .values(converted_at=stage.work.now)
    )

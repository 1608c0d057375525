"""The funnel: how far contacts came, step by step (contract §1, §7, §9)."""

from itertools import product

from sqlalchemy import insert, select, update

from halo_engine.answers.reports.funnel import funnel
from halo_engine.answers.reports.overview import count_some
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.series.exits import ExitReason
from halo_engine.mail.incoming.bounce_reports import note_bounces
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.pipeline.advance import advance
from halo_engine.tables import automation_enrollments, automation_recipients, messages
from tests.answers.sandbox import BY_PLAN, BYE, HELLO, Sandbox
from tests.contacts.sandbox import rows, statements

NO_MAIL = {
    "sent": 0,
    "opened": 0,
    "clicked": 0,
    "replied": 0,
    "failed": 0,
    "unknown": 0,
    "machine_opened": 0,
    "machine_clicked": 0,
}


def test_contacts_enrollments_and_steps_are_counted(sandbox: Sandbox) -> None:
    """Counts are given by status and step, in order; a removed step is shown while a contact is at
    it.
    """
    sandbox.pro("ann", "bob")
    sandbox.pro("noaddress", email=None)
    sandbox.series(**BY_PLAN, settings={"reenroll_enabled": True})
    sandbox.end("bob", ExitReason.REPLIED)
    advance(sandbox.work, 100)
    now = sandbox.work.now
    mailed(sandbox, "ann", machine_opened_at=now, machine_clicked_at=now)
    convert(sandbox, "ann")
    sandbox.series(active=False, **BY_PLAN, steps=[BYE])
    with statements(sandbox.work.connection) as seen:
        found = funnel(sandbox.work, sandbox.saved())
    assert len(seen) - 3 == 7
    assert found.model_dump(mode="json") == {
        "series": "s",
        "enrolled": 3,
        "enrollments": 3,
        "active": 2,
        "waiting": 0,
        "complete_since": None,
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
                "machine_opened": 1,
                "machine_clicked": 1,
            },
        ],
        "held": 0,
    }


def test_mails_that_came_back_are_counted_by_reason(sandbox: Sandbox) -> None:
    """Only this series' mails count."""
    sandbox.pro("ann", "bob")
    sandbox.series(**BY_PLAN)
    advance(sandbox.work, 100)
    mailed(sandbox, "ann")
    [(mail,)] = rows(sandbox.work, messages, "recipient_id")
    for reason in (BounceReason.RATE, BounceReason.MAILBOX_FULL, BounceReason.RATE):
        note_bounces(sandbox.work, {mail: Bounce(False, reason)})
    found = funnel(sandbox.work, sandbox.saved())
    assert list(found.bounces.items()) == [("rate", 2), ("mailbox_full", 1)]


def test_a_removed_step_that_nobody_reached_is_left_out(sandbox: Sandbox) -> None:
    """A draft has no counts."""
    sandbox.series(active=False, **BY_PLAN)
    sandbox.series(active=False, **BY_PLAN, steps=[HELLO])
    found = funnel(sandbox.work, sandbox.saved())
    assert [each.step for each in found.steps] == ["hello"]
    assert (found.enrolled, found.enrollments, found.active, found.ended) == (0, 0, 0, {})


def test_the_counters_outlive_a_reenrollment(sandbox: Sandbox) -> None:
    """Skipped, failed and unknown still count after re-enrollment cleared the rows."""
    sandbox.add("ann", "bob", "cid", "dan")
    again = {"reenroll_enabled": True}
    sandbox.series(entry_trigger="event", settings={"entry_event_name": "go", **again})
    for name in sandbox.ids:
        sandbox.fires(name, "go")
    sandbox.change("ann", email=None)
    advance(sandbox.work, 100)
    sandbox.change("ann", email="ann@a.example")
    finish(sandbox, "bob", "failed", "550 no such user")
    finish(sandbox, "cid", "failed", "outcome_unknown")
    mailed(sandbox, "cid", state="unknown", sent_at=None, opened_at=None)
    finish(sandbox, "dan", "skipped", "unsubscribed")
    before = funnel(sandbox.work, sandbox.saved()).steps
    hello = before[0].model_dump()
    assert hello["skipped"] == {"no_email": 1, "unsubscribed": 1}
    assert (hello["failed"], hello["unknown"], hello["sent"]) == (1, 1, 0)
    for name in sandbox.ids:
        sandbox.end(name)
        sandbox.fires(name, "go")
    after = funnel(sandbox.work, sandbox.saved()).steps
    assert after[0].recipients == {"pending": 4}
    assert [each.model_dump(exclude={"recipients"}) for each in after] == [
        each.model_dump(exclude={"recipients"}) for each in before
    ]
    finish(sandbox, "bob", "failed", "550 no such user")
    finish(sandbox, "dan", "skipped", "unsubscribed")
    again_after = funnel(sandbox.work, sandbox.saved()).steps[0]
    assert again_after.skipped == {"no_email": 1, "unsubscribed": 2}
    assert again_after.failed == 2


def finish(sandbox: Sandbox, name: str, status: str, reason: str) -> None:
    """End the contact's active row at the first step like this."""
    rows = automation_recipients
    [first, *_] = sandbox.saved().steps
    sandbox.work.connection.execute(
        update(rows)
        .where(
            rows.c.org_id == sandbox.work.org_id,
            rows.c.end_user_id == sandbox.ids[name],
            rows.c.step_id == first.id,
        )
        .values(
            status=status,
            reason=reason,
            finished_at=sandbox.work.now,
            lease_token=None,
            lease_expires_at=None,
        )
    )


def test_the_list_counts_a_contact_that_converted_in_several_runs_once(sandbox: Sandbox) -> None:
    """Whichever of three runs converted: as the funnel counts, and by one statement more."""
    names = [f"c{number}" for number in range(8)]
    sandbox.pro(*names)
    sandbox.series(active=False, **BY_PLAN, settings={"reenroll_enabled": True})
    series = sandbox.saved()
    runs = automation_enrollments
    now = sandbox.work.now
    sandbox.work.connection.execute(
        insert(runs),
        [
            {
                "org_id": sandbox.work.org_id,
                "automation_id": series.id,
                "end_user_id": sandbox.ids[name],
                "number": number,
                "created_at": now,
                "ended_at": None if number == 3 else now,
                "exit_reason": None if number == 3 else "completed",
                "converted_at": now if has_converted else None,
            }
            for name, converted in zip(names, product([True, False], repeat=3), strict=True)
            for number, has_converted in enumerate(converted, start=1)
        ],
    )
    with statements(sandbox.work.connection) as seen:
        [counted] = count_some(sandbox.work, [series.key, "gone"])
    assert len(seen) == 4
    found = funnel(sandbox.work, series)
    assert (counted.entered, counted.converted) == (found.enrolled, found.converted) == (8, 7)
    assert counted.active == found.active == 8


def mailed(sandbox: Sandbox, name: str, **values: object) -> None:
    """Record the contact's first email as sent and opened, or as given."""
    rows = automation_recipients
    row = sandbox.work.connection.execute(
        select(rows.c.id, rows.c.step_id, rows.c.automation_id).where(
            rows.c.org_id == sandbox.work.org_id, rows.c.end_user_id == sandbox.ids[name]
        )
    ).one()
    now = sandbox.work.now
    sandbox.work.connection.execute(
        insert(messages).values(
            org_id=sandbox.work.org_id,
            recipient_id=row.id,
            end_user_id=sandbox.ids[name],
            automation_id=row.automation_id,
            enrollment_number=1,
            step_id=row.step_id,
            message_id=name,
            to_address=f"{name}@a.example",
            intended_at=now,
            **{"state": "sent", "sent_at": now, "opened_at": now, **values},
        )
    )


def convert(sandbox: Sandbox, name: str) -> None:
    """Record the contact's conversion."""
    runs = automation_enrollments
    sandbox.work.connection.execute(
        update(runs)
        .where(runs.c.org_id == sandbox.work.org_id, runs.c.end_user_id == sandbox.ids[name])
        .values(converted_at=sandbox.work.now)
    )

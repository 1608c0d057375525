"""A series whose stored definition this code cannot read stands aside, alone (contract §1, §5)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from halo_engine.domain.errors import Refusal
from halo_engine.pipeline.advance import advance
from halo_engine.series.files.apply import apply_definitions
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import parse_definition
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automations,
    signals,
)
from halo_engine.tables.enrollments import IS_PROCESSING
from tests.pipeline.faults import LATER, MINUTE, enrolled, kept_for, parked, parked_rows
from tests.pipeline.sandbox import EMAIL, Sandbox
from tests.pipeline.test_passes import PRO, start_pass


def saved_by_another_version(sandbox: Sandbox, key: str, **settings: Any) -> None:
    """Store settings in a series that this code does not know."""
    series = automations
    sandbox.perform(
        lambda work: work.connection.execute(
            update(series)
            .where(series.c.org_id == work.org_id, series.c.key == key)
            .values(settings=settings or {}, updated_at=work.now)
        )
    )


@pytest.fixture
def unread(sandbox: Sandbox) -> Sandbox:
    """A sandbox with three series, of which this code cannot read one; ten contacts are in each,
    and their second email is due in an hour.
    """
    steps = [EMAIL, {**EMAIL, "key": "later", "delay": "1h"}]
    for key in ("one", "new", "two"):
        sandbox.series(key, steps=steps)
    sandbox.signal(sandbox.contacts(f"u{number}" for number in range(10)))
    sandbox.settle()
    saved_by_another_version(sandbox, "new", surprise=True)
    return sandbox


def test_a_series_that_cannot_be_read_stands_aside(unread: Sandbox) -> None:
    """Signals are handled and mail is sent for all other series, also for contacts who are in it.
    Its own entries and due rows wait, and go on when it can be read again.
    """
    new = id_of_unread(unread, "new")
    unread.signal([*unread.contacts(["ann"]), *_members(unread)])
    for _ in range(3):
        unread.wake(timedelta(hours=1))
    of_new = automation_enrollments.c.automation_id == new
    assert (enrolled(unread), enrolled(unread, of_new)) == (32, 10)
    assert len(unread.transport.sent) == 30 + 20 + 4
    assert kept_for(unread) == [new] * 11
    assert {each.tries for each in parked(unread)} == {0}
    saved_by_another_version(unread, "new")
    unread.wake(MINUTE)
    assert (enrolled(unread), enrolled(unread, of_new)) == (33, 11)
    assert len(unread.transport.sent) == 30 + 20 + 4 + 10 + 1
    assert stage_is_empty(unread)


def _members(sandbox: Sandbox) -> list[UUID]:
    """Return the contacts that are in a series."""
    runs = automation_enrollments
    asked = select(runs.c.end_user_id).distinct()
    return sandbox.perform(
        lambda work: list(work.connection.scalars(asked.where(runs.c.org_id == work.org_id)))
    )


def stage_is_empty(sandbox: Sandbox) -> bool:
    """Return whether nothing waits and nothing is parked."""
    return sandbox.count(signals) == 0 and not parked_rows(sandbox)


def id_of_unread(sandbox: Sandbox, key: str) -> UUID:
    """Return the id of a series that cannot be read."""
    series = automations
    found = select(series.c.id).where(series.c.key == key)
    return sandbox.perform(
        lambda work: UUID(str(work.connection.scalar(found.where(series.c.org_id == work.org_id))))
    )


def test_an_activation_waits_for_its_series_to_be_read(sandbox: Sandbox) -> None:
    """The activation is not lost and counts no try; readable series go on meanwhile."""
    sandbox.contacts(["ann", "ben"])
    sandbox.series("new", entry_trigger="manual", **LATER)
    saved_by_another_version(sandbox, "new", surprise=True)
    sandbox.series("two", entry_trigger="manual", **LATER)
    for _ in range(8):
        sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 2
    assert [(each.tries, each.waits) for each in parked(sandbox)] == [(0, True)]
    saved_by_another_version(sandbox, "new")
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 4
    assert stage_is_empty(sandbox)


def test_a_pass_goes_on_without_a_series_that_cannot_be_read(sandbox: Sandbox) -> None:
    """The series gets a pass of its own when it can be read again."""
    for key in ("one", "new"):
        sandbox.series(key, **PRO)
    sandbox.settle()
    saved_by_another_version(sandbox, "new", surprise=True)
    sandbox.contacts((f"u{n:02}" for n in range(5)), custom_fields={"plan": "pro"})
    start_pass(sandbox)
    sandbox.settle()
    assert enrolled(sandbox) == 5
    saved_by_another_version(sandbox, "new")
    sandbox.wake(MINUTE)
    assert enrolled(sandbox) == 10
    assert stage_is_empty(sandbox)


def test_what_was_leased_waits_for_its_series_to_be_read(unread: Sandbox) -> None:
    """A worker died with leased mail, some of it of a series that is now unreadable: that is sent
    when the series can be read, the rest at once.
    """
    saved_by_another_version(unread, "new")
    unread.now += timedelta(hours=1)
    unread.perform(lambda work: advance(work, 100, lease_seconds=-1))
    saved_by_another_version(unread, "new", surprise=True)
    unread.tick()
    assert len(unread.transport.sent) == 30 + 20
    saved_by_another_version(unread, "new")
    rows = automation_recipients
    unread.perform(
        lambda work: work.connection.execute(
            update(rows)
            .where(rows.c.org_id == work.org_id, IS_PROCESSING)
            .values(lease_expires_at=func.now())
        )
    )
    unread.tick()
    assert len(unread.transport.sent) == 30 + 30


def test_answers_about_it_say_that_it_cannot_be_read(unread: Sandbox) -> None:
    """A refusal names the series and what is unknown in it; saving it anew mends it."""
    problem = "settings.surprise: unknown key"
    with pytest.raises(Refusal, match=problem) as refused:
        unread.perform(lambda work: find_series(work, "new"))
    assert (refused.value.status, refused.value.code) == (409, "unreadable_series")
    data = {"entry_trigger": "user_created", "steps": [EMAIL]}
    again = {"new": parse_definition("new", data)}
    [applied] = unread.perform(lambda work: apply_definitions(work, again))
    assert applied.result == "changed"
    assert unread.perform(lambda work: find_series(work, "new")).is_active

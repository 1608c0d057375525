"""The history of a definition: versions, going back to one, the funnel of one (contract §18)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from halo_engine.domain.errors import Refusal
from halo_engine.journey.parking import FailedAlone, park_rows
from halo_engine.tables import automation_enrollments, automation_recipients, automation_versions
from halo_engine.tables.enrollments import NEVER
from tests.doors.conftest import Operator
from tests.pipeline.sandbox import NOON, Sandbox

HI: dict[str, Any] = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
LATER: dict[str, Any] = {"key": "later", "delay": "2d", "email": {"subject": "L", "body": "L"}}
SHORT: dict[str, Any] = {"entry_trigger": "user_created", "steps": [HI]}
LONG: dict[str, Any] = {"entry_trigger": "user_created", "steps": [LATER, HI]}


def test_history_tells_of_each_save_that_changed_something(
    sandbox: Sandbox, operate: Operator
) -> None:
    """History has each save that changed something: when, by whom, how, and which fields."""
    operate("series.save", series="s", definition=SHORT)
    sandbox.now = NOON + timedelta(hours=1)
    operate("series.save", series="s", definition=SHORT)
    operate("series.apply", series={"s": LONG})
    history = operate("series.history", series="s")
    assert (history["version"], len(history["versions"])) == (2, 2)
    latest, first = history["versions"]
    assert latest["version"] == 2
    assert latest["saved_at"] == "2026-06-01T13:00:00.000000+00:00"
    assert (latest["saved_by"], latest["via"]) == ("eve", "task")
    assert latest["changed"] == ["steps", "steps.later"]
    assert (first["version"], first["changed"]) == (1, [])
    assert operate("series.show", series="s", version=1)["definition"] == SHORT
    with pytest.raises(Refusal) as refused:
        operate("series.show", series="s", version=3)
    assert (refused.value.status, refused.value.code) == (404, "unknown_version")


def test_what_was_saved_before_versions_were_kept_is_in_the_history(
    sandbox: Sandbox, operate: Operator
) -> None:
    """A definition saved before versions existed is the first version, and the next save keeps
    it.
    """
    operate("series.save", series="s", definition=SHORT)
    org_id = sandbox.org_id
    forget = delete(automation_versions).where(automation_versions.c.org_id == org_id)
    sandbox.perform(lambda work: work.connection.execute(forget))
    assert [each["version"] for each in operate("series.history", series="s")["versions"]] == [1]
    assert operate("series.show", series="s", version=1)["definition"] == SHORT
    operate("series.save", series="s", definition=LONG)
    found = operate("series.history", series="s")["versions"]
    assert [(each["version"], each["saved_by"]) for each in found] == [(2, "eve"), (1, None)]


def test_reverting_brings_back_the_definition_and_its_steps(
    sandbox: Sandbox, operate: Operator
) -> None:
    """Reverting restores removed steps: a contact who waits at one gets it when it is due."""
    operate("series.save", series="s", definition=LONG)
    operate("series.activate", series="s")
    [ann] = sandbox.contacts(["ann"])
    sandbox.signal([ann])
    sandbox.settle()
    operate("series.save", series="s", definition=SHORT)
    answer = operate("series.revert", series="s", to=1)
    assert (answer["result"], answer["version"]) == ("changed", 3)
    assert operate("series.show", series="s")["definition"] == LONG
    assert operate("series.revert", series="s", to=1)["result"] == "unchanged"
    sandbox.tick(timedelta(days=2))
    assert [mail["Subject"] for mail in sandbox.transport.sent] == ["L", "Hi"]


def test_the_funnel_of_a_version_counts_the_runs_that_began_in_it(
    sandbox: Sandbox, operate: Operator
) -> None:
    """A run counts in the version in which it began; one from before versions in none."""
    operate("series.save", series="s", definition=LONG)
    operate("series.activate", series="s")
    old, ann, bob = sandbox.contacts(["old", "ann", "bob"])
    sandbox.signal([old])
    sandbox.settle()
    runs = automation_enrollments
    forget = update(runs).where(runs.c.org_id == sandbox.org_id).values(series_version=None)
    sandbox.perform(lambda work: work.connection.execute(forget))
    sandbox.signal([ann])
    sandbox.settle()
    operate("series.save", series="s", definition=SHORT)
    sandbox.signal([bob])
    sandbox.settle()

    def counts(version: int | None) -> tuple[int, int, list[int]]:
        found = operate("series.funnel", series="s", version=version)
        return found["enrolled"], found["active"], [each["sent"] for each in found["steps"]]

    assert counts(None) == (3, 2, [1, 0])
    assert counts(1) == (1, 1, [0, 0])
    assert counts(2) == (1, 0, [1])


def test_a_row_that_is_set_aside_is_due_at_its_new_time_when_it_is_retried(
    sandbox: Sandbox, operate: Operator
) -> None:
    """A rescheduled row stays set aside, and is due at its new time when it is retried."""
    operate("series.save", series="s", definition=LONG)
    operate("series.activate", series="s")
    sandbox.signal(sandbox.contacts(["aside", "again"]))
    sandbox.settle()
    rows = automation_recipients
    ids = sandbox.perform(
        lambda work: list(
            work.connection.scalars(
                select(rows.c.id).where(rows.c.org_id == work.org_id).order_by(rows.c.id)
            )
        )
    )
    sandbox.perform(
        lambda work: park_rows(work, [FailedAlone(each, "no", counts=False) for each in ids])
    )
    aside = {"retry_at": None, "scheduled_for": NEVER}
    set_aside = update(rows).where(rows.c.id == ids[0]).values(**aside)
    sandbox.perform(lambda work: work.connection.execute(set_aside))
    sooner = {**LONG, "steps": [{**LATER, "delay": "1h"}, HI]}
    answer = operate("series.save", series="s", definition=sooner, reschedule=True)
    assert answer["rescheduled"] == 2
    due = NOON + timedelta(hours=1)
    found = sandbox.perform(
        lambda work: work.connection.execute(
            select(rows.c.was_due, rows.c.retry_at, rows.c.scheduled_for)
            .where(rows.c.id.in_(ids))
            .order_by(rows.c.id)
        ).all()
    )
    assert [tuple(each) for each in found] == [(due, None, NEVER), (due, due, due)]

"""Re-evaluation: a pass over everybody finds who matches newly, and writes for those alone (§4)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from halo_engine.domain.signals import SignalKind
from halo_engine.pipeline import wide
from halo_engine.pipeline.reaction import Reaction
from halo_engine.tables import automation_enrollments, end_users, signals
from tests.pipeline.stage import EMAIL, NOON, Stage, counted_statements

PRO: dict[str, Any] = {
    "entry_trigger": "segment_match",
    "audience_type": "segment",
    "audience_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
    "steps": [{**EMAIL, "delay": "1d"}],
}
SETTINGS = {"reenroll_enabled": True}


def start_pass(stage: Stage) -> None:
    """Leave the signal of a pass that begins now."""
    values = {"kind": SignalKind.REEVALUATED, "happened_at": stage.now, "created_at": stage.now}
    stage.perform(
        lambda work: work.connection.execute(insert(signals).values(org_id=work.org_id, **values))
    )


def plan(stage: Stage, name: str, value: str) -> None:
    """Set a contact's plan behind the engine's back: no signal says so."""
    stage.perform(
        lambda work: work.connection.execute(
            update(end_users)
            .where(end_users.c.org_id == work.org_id, end_users.c.external_id == name)
            .values(custom_fields={"plan": value})
        )
    )


def entered(stage: Stage) -> list[str | None]:
    """Return who has a run, in the order in which the runs were created."""
    runs = automation_enrollments
    return list(
        stage.perform(
            lambda work: work.connection.scalars(
                select(end_users.c.external_id)
                .join(
                    runs,
                    (runs.c.org_id == end_users.c.org_id) & (runs.c.end_user_id == end_users.c.id),
                )
                .where(runs.c.org_id == work.org_id)
                .order_by(runs.c.id)
            ).all()
        )
    )


def test_who_matches_newly_enters_in_order_of_creation_however_many_pages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends with the last contact that it enrolls, and the next one begins after it."""
    monkeypatch.setattr(wide, "PAGE", 10)
    stage.series("pro", **PRO)
    stage.settle()
    names = [f"u{number:02}" for number in range(30)]
    for name in reversed(names):
        stage.now -= timedelta(seconds=1)
        matches = {"plan": "pro" if int(name[1:]) % 5 else "free"}
        stage.contacts([name], custom_fields=matches)
    stage.now = NOON + timedelta(hours=1)
    start_pass(stage)
    pages = [len(each.admissions) for each in stage.settle() if isinstance(each, Reaction)]
    assert pages == [1, 1, 1]
    assert entered(stage) == [name for name in names if int(name[1:]) % 5]


def test_nobody_is_passed_over_who_was_created_at_one_instant(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may end anywhere among them: after its limit of entries, or of contacts. Those who
    left are noted.
    """
    monkeypatch.setattr(wide, "PAGE", 3)
    monkeypatch.setattr(wide, "SCANNED", 7)
    stage.series("pro", **PRO, settings=SETTINGS)
    stage.series("also", **PRO, settings=SETTINGS)
    stage.settle()
    stage.now -= timedelta(hours=1)
    made = stage.contacts([f"u{number:02}" for number in range(40)], custom_fields={"plan": "pro"})
    order = [f"u{made.index(each):02}" for each in sorted(made)]
    stage.now = NOON + timedelta(hours=1)
    start_pass(stage)
    stage.settle()
    assert entered(stage) == [name for name in order for _ in range(2)]
    for name in order:
        plan(stage, name, "free")
    stage.now += timedelta(hours=1)
    start_pass(stage)
    stage.settle()
    assert stage.count(automation_enrollments, automation_enrollments.c.left_audience) == 80


def test_a_pass_begins_with_a_quarter_unless_the_pass_before_was_quick(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a contact takes is unknown at first; after a quick page the next may take all."""
    monkeypatch.setattr(wide, "PAGE", 2)
    monkeypatch.setattr(wide, "SCANNED", 12)
    stage.series("pro", **PRO)
    stage.contacts([f"u{number}" for number in range(12)])
    stage.settle()

    def pages(longest: float) -> int:
        monkeypatch.setattr(wide, "QUICK_SECONDS", longest)
        stage.now += timedelta(hours=1)
        start_pass(stage)
        return len([each for each in stage.settle() if isinstance(each, Reaction)])

    never, always = 0.0, 60.0
    # Of 3 each; of 3 and all others; of all; of all, which took long; of 3 and all others.
    assert [pages(of) for of in (never, always, always, never, always)] == [4, 2, 1, 1, 2]


def test_a_pass_whose_last_page_alone_was_quick_was_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick last page of a few contacts does not make the pass quick."""
    monkeypatch.setattr(wide, "PAGE", 3)
    monkeypatch.setattr(wide, "SCANNED", 12)
    stage.series("pro", **PRO)
    stage.contacts([f"u{number}" for number in range(4)])
    stage.settle()
    stage.now += timedelta(hours=1)
    start_pass(stage)
    settling = stage.engine.settle(stage.org_id)
    monkeypatch.setattr(wide, "QUICK_SECONDS", 0.0)
    next(settling)
    monkeypatch.setattr(wide, "QUICK_SECONDS", 60.0)
    assert len([each for each in settling if isinstance(each, Reaction)]) == 1
    assert not stage.perform(lambda work: work.org.passes_are_quick)


def test_a_pass_writes_nothing_when_nobody_is_new(stage: Stage) -> None:
    """With everybody who matches enrolled already, no statement that enrolls is executed."""
    stage.contacts([f"u{number}" for number in range(20)], custom_fields={"plan": "pro"})
    stage.series("pro", **PRO, settings=SETTINGS)
    stage.settle()
    stage.now += timedelta(hours=1)
    start_pass(stage)
    with counted_statements(stage.database) as statements:
        stage.settle()
    assert not [each for each in statements if "INSERT INTO automation_enrollments" in each]
    assert len(entered(stage)) == 20


def test_who_left_and_matches_again_is_found(stage: Stage) -> None:
    """A pass sees who left; a later one enrolls who is back, when the first run has ended."""
    stage.contacts(["ann", "bob"], custom_fields={"plan": "pro"})
    series = {**PRO, "steps": [EMAIL], "settings": SETTINGS}
    stage.series("pro", **series)
    stage.settle()
    for value in ("free", "pro"):
        plan(stage, "ann", value)
        stage.now += timedelta(hours=1)
        start_pass(stage)
        stage.settle()
    assert entered(stage) == ["ann", "bob", "ann"]


def test_several_processes_can_share_a_pass(stage: Stage) -> None:
    """PostgreSQL may look for newcomers in parallel."""
    stage.contacts(["ann"], custom_fields={"plan": "pro"})
    stage.series("pro", **PRO)
    stage.series("again", **PRO)
    start_pass(stage)
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "SELECT DISTINCT" in statement:
            cursor = connection.connection.cursor()
            for name in ("parallel_setup_cost", "parallel_tuple_cost"):
                cursor.execute(f"SET LOCAL {name} = 0")
            cursor.execute("SET LOCAL min_parallel_table_scan_size = 0")
            for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
                cursor.execute(f"SET LOCAL {name} = off")
            cursor.execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    event.listen(stage.database, "before_cursor_execute", explain)
    try:
        stage.settle()
    finally:
        event.remove(stage.database, "before_cursor_execute", explain)
    [plan] = plans
    assert "Parallel Seq Scan on end_users" in plan, plan
    assert len(entered(stage)) == 2

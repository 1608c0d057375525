"""Re-evaluation: a pass over everybody finds who matches newly, and writes for those alone (§4)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from halo_engine.domain.series.signals import SignalKind
from halo_engine.pipeline import wide
from halo_engine.pipeline.reaction import Reaction
from halo_engine.tables import automation_enrollments, end_users, signals
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox, counted_statements
from tests.sql.sent import name_in

PRO: dict[str, Any] = {
    "entry_trigger": "segment_match",
    "audience_type": "segment",
    "audience_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
    "steps": [{**EMAIL, "delay": "1d"}],
}
SETTINGS = {"reenroll_enabled": True}


def start_pass(sandbox: Sandbox) -> None:
    """Leave the signal of a pass that begins now."""
    values = {"kind": SignalKind.REEVALUATED, "happened_at": sandbox.now, "created_at": sandbox.now}
    sandbox.perform(
        lambda work: work.connection.execute(insert(signals).values(org_id=work.org_id, **values))
    )


def plan(sandbox: Sandbox, name: str, value: str) -> None:
    """Set a contact's plan behind the engine's back: no signal says so."""
    sandbox.perform(
        lambda work: work.connection.execute(
            update(end_users)
            .where(end_users.c.org_id == work.org_id, end_users.c.external_id == name)
            .values(custom_fields={"plan": value})
        )
    )


def entered(sandbox: Sandbox) -> list[str | None]:
    """Return who has a run, in the order in which the runs were created."""
    runs = automation_enrollments
    return list(
        sandbox.perform(
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
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends with the last contact that it enrolls, and the next one begins after it."""
    monkeypatch.setattr(wide, "PAGE", 10)
    sandbox.series("pro", **PRO)
    sandbox.settle()
    names = [f"u{number:02}" for number in range(30)]
    for name in reversed(names):
        sandbox.now -= timedelta(seconds=1)
        matches = {"plan": "pro" if int(name[1:]) % 5 else "free"}
        sandbox.contacts([name], custom_fields=matches)
    sandbox.now = NOON + timedelta(hours=1)
    start_pass(sandbox)
    pages = [len(each.admissions) for each in sandbox.settle() if isinstance(each, Reaction)]
    assert pages == [1, 1, 1]
    assert entered(sandbox) == [name for name in names if int(name[1:]) % 5]


def test_nobody_is_passed_over_who_was_created_at_one_instant(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may end anywhere among them: after its limit of entries, or of contacts. Those who
    left are noted.
    """
    monkeypatch.setattr(wide, "PAGE", 3)
    monkeypatch.setattr(wide, "SCANNED", 7)
    sandbox.series("pro", **PRO, settings=SETTINGS)
    sandbox.series("also", **PRO, settings=SETTINGS)
    sandbox.settle()
    sandbox.now -= timedelta(hours=1)
    made = sandbox.contacts(
        [f"u{number:02}" for number in range(40)], custom_fields={"plan": "pro"}
    )
    order = [f"u{made.index(each):02}" for each in sorted(made)]
    sandbox.now = NOON + timedelta(hours=1)
    start_pass(sandbox)
    sandbox.settle()
    assert entered(sandbox) == [name for name in order for _ in range(2)]
    for name in order:
        plan(sandbox, name, "free")
    sandbox.now += timedelta(hours=1)
    start_pass(sandbox)
    sandbox.settle()
    assert sandbox.count(automation_enrollments, automation_enrollments.c.left_audience) == 80


def test_a_pass_begins_with_a_quarter_unless_the_pass_before_was_quick(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a contact takes is unknown at first; after a quick page the next may take all."""
    monkeypatch.setattr(wide, "PAGE", 2)
    monkeypatch.setattr(wide, "SCANNED", 12)
    sandbox.series("pro", **PRO)
    sandbox.contacts([f"u{number}" for number in range(12)])
    sandbox.settle()

    def pages(longest: float) -> int:
        monkeypatch.setattr(wide, "QUICK_SECONDS", longest)
        sandbox.now += timedelta(hours=1)
        start_pass(sandbox)
        return len([each for each in sandbox.settle() if isinstance(each, Reaction)])

    never, always = 0.0, 60.0
    # Of 3 each; of 3 and all others; of all; of all, which took long; of 3 and all others.
    assert [pages(of) for of in (never, always, always, never, always)] == [4, 2, 1, 1, 2]


def test_a_pass_whose_last_page_alone_was_quick_was_not(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick last page of a few contacts does not make the pass quick."""
    monkeypatch.setattr(wide, "PAGE", 3)
    monkeypatch.setattr(wide, "SCANNED", 12)
    sandbox.series("pro", **PRO)
    sandbox.contacts([f"u{number}" for number in range(4)])
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    start_pass(sandbox)
    settling = sandbox.engine.settle(sandbox.org_id)
    monkeypatch.setattr(wide, "QUICK_SECONDS", 0.0)
    next(settling)
    monkeypatch.setattr(wide, "QUICK_SECONDS", 60.0)
    assert len([each for each in settling if isinstance(each, Reaction)]) == 1
    assert not sandbox.perform(lambda work: work.org.passes_are_quick)


def test_a_pass_writes_nothing_when_nobody_is_new(sandbox: Sandbox) -> None:
    """With everybody who matches enrolled already, no statement that enrolls is executed."""
    sandbox.contacts([f"u{number}" for number in range(20)], custom_fields={"plan": "pro"})
    sandbox.series("pro", **PRO, settings=SETTINGS)
    sandbox.settle()
    sandbox.now += timedelta(hours=1)
    start_pass(sandbox)
    with counted_statements(sandbox.database) as statements:
        sandbox.settle()
    assert "enroll" not in map(name_in, statements)
    assert not [each for each in statements if "INTO automation_enrollments" in each]
    assert len(entered(sandbox)) == 20


def test_who_left_and_matches_again_is_found(sandbox: Sandbox) -> None:
    """A pass sees who left; a later one enrolls who is back, when the first run has ended."""
    sandbox.contacts(["ann", "bob"], custom_fields={"plan": "pro"})
    series = {**PRO, "steps": [EMAIL], "settings": SETTINGS}
    sandbox.series("pro", **series)
    sandbox.settle()
    for value in ("free", "pro"):
        plan(sandbox, "ann", value)
        sandbox.now += timedelta(hours=1)
        start_pass(sandbox)
        sandbox.settle()
    assert entered(sandbox) == ["ann", "bob", "ann"]


def test_several_processes_can_share_a_pass(sandbox: Sandbox) -> None:
    """PostgreSQL may look for newcomers in parallel."""
    sandbox.contacts(["ann"], custom_fields={"plan": "pro"})
    sandbox.series("pro", **PRO)
    sandbox.series("again", **PRO)
    start_pass(sandbox)
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if name_in(statement) == "find_newcomers":
            cursor = connection.connection.cursor()
            for name in ("parallel_setup_cost", "parallel_tuple_cost"):
                cursor.execute(f"SET LOCAL {name} = 0")
            cursor.execute("SET LOCAL min_parallel_table_scan_size = 0")
            for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
                cursor.execute(f"SET LOCAL {name} = off")
            cursor.execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    event.listen(sandbox.database, "before_cursor_execute", explain)
    try:
        sandbox.settle()
    finally:
        event.remove(sandbox.database, "before_cursor_execute", explain)
    [plan] = plans
    assert "Parallel Seq Scan on end_users" in plan, plan
    assert len(entered(sandbox)) == 2

"""Counts of everybody are shared out to several processes, whatever the filters read (§10, §18)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from halo_engine.answers.diagnose.diagnose import diagnose
from halo_engine.answers.plans.plan import plan
from halo_engine.series.save import parse_definition
from tests.answers.sandbox import Sandbox

_FIELDS = ("plan", "role", "email", "company.name", "company.custom:tier", "stripe:plan")
_FILTERS: list[dict[str, Any]] = [
    *({"field": each, "operator": "is", "value": "x"} for each in _FIELDS),
    {"field": "signed_up_at", "operator": "after", "value": "2026-05-27"},
    {"field": "event:login", "operator": "gt", "value": 1},
    {"field": "custom:trial", "operator": "before", "value": "2026-05-27"},
]


def _diagnosed(sandbox: Sandbox) -> object:
    return diagnose(sandbox.work, sandbox.saved())


def _planned(sandbox: Sandbox) -> object:
    then = {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [_FILTERS[1:]],
        "settings": {"exit_rules": ["segment_leave", "filter_match"], "exit_filters": [_FILTERS]},
        "steps": [{"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}],
    }
    saved = sandbox.saved()
    return plan(sandbox.work, saved.key, parse_definition(saved.key, then), reschedule=True)


@pytest.mark.parametrize(("ask", "marker"), [(_diagnosed, "alike"), (_planned, "each.number")])
def test_several_processes_can_share_the_work(
    sandbox: Sandbox, ask: Callable[[Sandbox], object], marker: str
) -> None:
    """PostgreSQL may scan the contacts in parallel."""
    sandbox.series(audience_type="segment", audience_filters=[_FILTERS], active=False)
    # So many that sharing them out is worth it.
    sandbox.add(*(f"c{number}" for number in range(500)))
    connection = sandbox.work.connection
    connection.exec_driver_sql("ANALYZE end_users")
    for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        connection.exec_driver_sql(f"SET LOCAL {name} = 0")
    for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL {name} = off")
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        executed.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    ask(sandbox)
    event.remove(connection, "before_cursor_execute", note)
    [(question, values)] = [each for each in executed if marker in each[0]]
    shown = "\n".join(connection.exec_driver_sql(f"EXPLAIN {question}", values).scalars())
    assert "Parallel Seq Scan on end_users" in shown, shown

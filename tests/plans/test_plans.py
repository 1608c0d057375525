"""The plans of hot statements at 50,000 rows use indexes, whatever is joined."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from halo_engine.pipeline.advance import advance
from halo_engine.pipeline.react import react
from tests.pipeline.sandbox import NOON, Sandbox, new_sandbox

CONTACTS = 50_000
#: The tables that hold a row for each contact; the others are small here, and may be read whole.
BIG = {"end_users", "automation_enrollments", "automation_recipients"}

_CONTACTS = text(
    "INSERT INTO end_users (org_id, external_id, source, email, custom_fields, created_at, "
    "updated_at, first_seen, last_seen) SELECT :org, 'u' || i, 'sdk', 'u' || i || '@a.example', "
    "jsonb_build_object('plan', CASE i % 2 WHEN 0 THEN 'pro' ELSE 'free' END), "
    "CAST(:now AS timestamptz) - i * interval '1 s', :now, :now, :now "
    "FROM generate_series(1, :contacts) i"
)
_RUNS = text(
    "INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at) "
    "SELECT c.org_id, a.id, c.id, 1, :now FROM end_users c, automations a "
    "WHERE c.org_id = :org AND a.org_id = :org AND a.key = 'big'"
)
_ROWS = text(
    "INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id, "
    "enrollment_number, scheduled_for, created_at) "
    "SELECT e.org_id, e.automation_id, s.id, e.end_user_id, 1, "
    "CAST(:now AS timestamptz) + e.id % 1000 * interval '1 s', :now "
    "FROM automation_enrollments e JOIN automation_steps s "
    "ON s.org_id = e.org_id AND s.automation_id = e.automation_id AND s.position = 0 "
    "WHERE e.org_id = :org"
)


@pytest.fixture(scope="module")
def crowd(shared_database: Engine) -> Sandbox:
    """An organisation of 50,000 contacts, all of them in one series with a row to come."""
    sandbox = new_sandbox(shared_database, "plans")
    gate = {"key": "gate", "condition": {"type": "user_property", "value": "plan=pro"}}
    later = {"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}
    sandbox.series("big", steps=[gate, later])
    pro = [{"field": "plan", "operator": "is", "value": "pro"}]
    settings = {"exit_rules": ["segment_leave", "event", "replied"], "exit_event_name": "paid"}
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    values = {"org": sandbox.org_id, "now": NOON, "contacts": CONTACTS}
    with shared_database.begin() as connection:
        for statement in (_CONTACTS, _RUNS, _ROWS):
            connection.execute(statement, values)
            # The session may keep a plan of a foreign key's check that was made for a page of rows.
            connection.execute(text("ANALYZE"))
    for number in range(5):
        name = {"field": "name", "operator": "is", "value": f"nobody {number}"}
        sandbox.series(f"s{number}", **segment, audience_filters=[*pro, name], settings=settings)
    sandbox.settle()
    with shared_database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return sandbox


def plans(sandbox: Sandbox, action: Any) -> dict[str, Any]:
    """Run ``action`` and return the plan of each statement that it executed, by its text."""
    found: dict[str, Any] = {}

    def explain(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            # The driver's own cursor: what is explained is not listened to.
            own: Any = connection.connection.cursor()
            own.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            [(found[statement],)] = own.fetchall()

    event.listen(sandbox.database, "before_cursor_execute", explain)
    try:
        sandbox.perform(action)
    finally:
        event.remove(sandbox.database, "before_cursor_execute", explain)
    return found


def whole_reads(node: Any) -> Iterator[str]:
    """Yield the big tables that a plan reads from end to end."""
    if isinstance(node, list):
        for each in node:
            yield from whole_reads(each)
    elif isinstance(node, dict):
        if node.get("Node Type") == "Seq Scan" and node.get("Relation Name") in BIG:
            yield node["Relation Name"]
        for each in node.values():
            if isinstance(each, list | dict):
                yield from whole_reads(each)


def test_handling_signals_reads_no_table_whole(crowd: Sandbox) -> None:
    """A batch of signals looks up its contacts and their runs, among 50,000 others."""
    crowd.signal(crowd.contacts(f"new{number}" for number in range(100)))
    found = plans(crowd, lambda work: react(work, 500))
    assert len(found) == 8
    assert {statement: set(whole_reads(plan)) for statement, plan in found.items()} == {
        statement: set() for statement in found
    }


def test_advancing_due_rows_reads_no_table_whole_and_sorts_no_backlog(crowd: Sandbox) -> None:
    """A batch is claimed from the front of the due index, whatever the backlog behind it."""
    crowd.now = NOON + timedelta(hours=1)
    found = plans(crowd, lambda work: advance(work, 200))
    for statement, plan in found.items():
        assert set(whole_reads(plan)) == set(), statement
    [claim] = [plan for statement, plan in found.items() if "SKIP LOCKED" in statement]
    assert "automation_recipients_due_idx" in json.dumps(claim)

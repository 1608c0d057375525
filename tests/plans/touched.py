"""How many rows each statement touches: those that its plan reads, discards and joins, as
PostgreSQL counts them.

The server's module ``auto_explain`` reports every statement as it was run: with cached plans, and
with the queries behind foreign keys.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import Connection

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_buffers": "off",
    "auto_explain.log_triggers": "on",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "client_min_messages": "notice",
}
_REMOVED = (
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
    "Rows Removed by Index Recheck",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was run, the rows that it touched, and its plan."""

    text: str
    rows: float
    plan: Any = field(repr=False)


@contextmanager
def touched(connection: Connection) -> Iterator[list[Statement]]:
    """Collect every statement that this transaction runs from now on."""
    driver: Any = connection.connection.driver_connection
    seen: list[Statement] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        _, is_plan, plan = (diagnostic.message_primary or "").partition("plan:\n")
        if is_plan:
            document = json.loads(plan)
            seen.append(
                Statement(document["Query Text"], _rows(document["Plan"]), document["Plan"])
            )

    connection.exec_driver_sql("LOAD 'auto_explain'")
    for name, value in _SETTINGS.items():
        connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
    driver.add_notice_handler(note)
    try:
        yield seen
        # A statement has ended, and is told of, when the next one comes.
        connection.exec_driver_sql("SELECT 1")
    finally:
        driver.remove_notice_handler(note)


def _rows(node: Any) -> float:
    own: float = node.get("Actual Rows", 0) + sum(node.get(removed, 0) for removed in _REMOVED)
    below = sum(map(_rows, node.get("Plans", ())))
    return float(own * node.get("Actual Loops", 0) + below)

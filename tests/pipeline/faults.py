"""Faults made by a test: the database refuses certain writes; and what is parked afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select, text
from sqlalchemy import Engine as Database

from halo_engine.series.lifecycle import find_series
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    signals,
)
from halo_engine.tables.enrollments import IS_ACTIVE
from tests.pipeline.sandbox import EMAIL, Sandbox

_numbers = count(1)


@contextmanager
def refusing(
    database: Database, table: str, condition: str, when: str = "INSERT", code: str = "P0001"
) -> Iterator[None]:
    """Within the block, fail every write to ``table`` for which ``condition`` holds, an expression
    over ``NEW``; with the ``code`` of PostgreSQL's errors.
    """
    name = f"refuses_{next(_numbers)}"
    with database.begin() as connection:
        connection.execute(
            text(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {condition} THEN RAISE EXCEPTION 'no %', TG_TABLE_NAME "
                f"USING ERRCODE = '{code}'; END IF; "
                "RETURN NEW; END $$"
            )
        )
        connection.execute(
            text(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
        )
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(text(f"DROP FUNCTION {name}() CASCADE"))


MINUTE = timedelta(minutes=1)
RUNS = "automation_enrollments"
ROWS = "automation_recipients"
LATER = {"steps": [{**EMAIL, "delay": "1d"}]}
#: What PostgreSQL says for a trigger of ``refusing``.
NO_RUN = f"RaiseException: no {RUNS}"


class Parked(NamedTuple):
    """A parked signal or row: its contact, counted tries, whether it is retried, and its error."""

    contact_id: UUID | None
    tries: int
    waits: bool
    error: str


def parked(
    sandbox: Sandbox, table: Table = signals, *conditions: ColumnElement[bool]
) -> list[Parked]:
    """Return what is parked of the signals, or of another table's rows."""
    columns = table.c
    waits = columns.retry_at.is_not(None)
    found = (
        select(columns.end_user_id, columns.tries, waits, columns.error)
        .where(columns.parked_at.is_not(None), *conditions)
        .order_by(columns.id)
    )
    rows = sandbox.perform(
        lambda work: work.connection.execute(found.where(columns.org_id == work.org_id)).all()
    )
    return [Parked(*row) for row in rows]


def parked_rows(sandbox: Sandbox) -> list[Parked]:
    """Return what is parked of the active rows."""
    return parked(sandbox, automation_recipients, IS_ACTIVE)


def enrolled(sandbox: Sandbox, *conditions: ColumnElement[bool]) -> int:
    """Return how many runs there are."""
    return sandbox.count(automation_enrollments, *conditions)


def id_of(sandbox: Sandbox, key: str) -> UUID:
    """Return a series' id."""
    return sandbox.perform(lambda work: find_series(work, key).id)


def kept_for(sandbox: Sandbox) -> list[UUID | None]:
    """Return for which series each parked signal is kept."""
    return sandbox.perform(
        lambda work: list(
            work.connection.scalars(
                select(signals.c.automation_id).where(
                    signals.c.org_id == work.org_id, signals.c.parked_at.is_not(None)
                )
            )
        )
    )

"""Measure what each index costs and what uses it: `python -m benchmarks.indexes`.

Every index of the metadata is listed. Primary keys and unique indexes hold promises, and stay. Each
other index is dropped in a transaction that is rolled back, and the chores are timed with and
without it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final

import click
from rich.console import Console
from rich.table import Table as Drawn
from sqlalchemy import Connection, Index, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError

from benchmarks.chores import CHORES, Chore
from benchmarks.ground import Crowd, Ground, ground
from benchmarks.measuring import seconds
from benchmarks.past import give_past
from halo_engine.database import sqlstate
from halo_engine.tables import metadata
from workers.stack.interruption import Interrupted, interruptible

#: So many rows are written to measure what an index costs.
_ROWS: Final = 20_000

#: A chore with a statement that takes longer without an index is given up.
_PATIENCE_SECONDS: Final = 5.0
_TIMED_OUT: Final = "57014"

#: What lays out signals, of which there are none else.
_SIGNALS: Final = CHORES["react to changes"]

_SCANS: Final = """
SELECT relname, pg_stat_get_xact_numscans(oid) AS scans FROM pg_class WHERE relkind = 'i'
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One index: how many ``chores`` scan it, and the ``chore`` that is slowed most without it.

    ``scans`` counts that chore's scans. ``slower`` is how many times as long it takes without the
    index, infinite if a statement was given up. ``row`` is the time to write a row without the
    index, ``more`` the additional time with it, in seconds. For a promise, ``chore`` is the one
    that scans it most.
    """

    index: str
    promise: bool
    chores: int
    chore: str | None
    scans: int
    row: float | None = None
    more: float | None = None
    slower: float | None = None


def measure(sandbox: Ground, contacts: int, rounds: int) -> Iterator[Measured]:
    """Measure every index on an organisation of so many contacts."""
    crowd = sandbox.crowd(contacts, "indexes")
    give_past(crowd, contacts // 10)
    scans = {name: _scans(crowd, chore) for name, chore in CHORES.items()}

    def scanning(index: str) -> dict[str, int]:
        return {chore: counted[index] for chore, counted in scans.items() if counted[index]}

    for table in metadata.sorted_tables:
        for promise in _constraints(table):
            yield _promised(promise, scanning(promise))
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            by = scanning(str(index.name))
            if index.unique:
                yield _promised(str(index.name), by)
            else:
                yield _dropped(crowd, table, index, by, rounds)


def _constraints(table: Table) -> list[str]:
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    columns = sorted("_".join(column.name for column in each.columns) for each in unique)
    return [f"{table.name}_pkey", *(f"{table.name}_{each}_key" for each in columns)]


def _promised(index: str, scans: Mapping[str, int]) -> Measured:
    most = max(scans, key=lambda each: scans[each], default=None)
    return Measured(index, True, len(scans), most, scans.get(most or "", 0))


def _dropped(
    crowd: Crowd, table: Table, index: Index, scans: Mapping[str, int], rounds: int
) -> Measured:
    taken = _alternate(lambda dropped: _writing(crowd, table, dropped), index, rounds)
    row, less = (median(each[side] for each in taken) for side in (0, 1))

    def slower(chore: str, rounds: int) -> float:
        doing = _alternate(lambda dropped: _doing(crowd, CHORES[chore], dropped), index, rounds)
        return median(without / whole for whole, without in doing)

    chore = max(scans, key=lambda each: slower(each, 1), default=None)
    times = slower(chore, rounds) if chore is not None else None
    used = len(scans), chore, scans.get(chore or "", 0)
    return Measured(str(index.name), False, *used, row=less, more=row - less, slower=times)


def _alternate(
    taking: Callable[[Index | None], float], index: Index, rounds: int
) -> list[tuple[float, float]]:
    """Return the times with the index and without it."""
    return [(taking(None), taking(index)) for _ in range(rounds)]


@contextmanager
def _undone(crowd: Crowd, dropped: Index | None = None) -> Iterator[Connection]:
    """Yield a transaction in which ``dropped`` is missing, and roll it back."""
    with crowd.database.connect() as connection:
        if dropped is not None:
            connection.exec_driver_sql(f'DROP INDEX "{dropped.name}"')
        yield connection
        connection.rollback()


def _writing(crowd: Crowd, table: Table, dropped: Index | None) -> float:
    """Return the time to write a row: rows of the table are deleted and written again."""
    columns = ", ".join(each.name for each in table.c if each.computed is None)
    with _undone(crowd, dropped) as connection:
        _SIGNALS.lay_out(connection, crowd.org_id)
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"CREATE TEMP TABLE taken ON COMMIT DROP AS SELECT {columns} FROM {table.name}"
            f" ORDER BY ctid DESC LIMIT {_ROWS}"
        )
        keys = ", ".join(each.name for each in table.primary_key)
        rows = connection.exec_driver_sql(
            f"DELETE FROM {table.name} WHERE ({keys}) IN (SELECT {keys} FROM taken)"
        ).rowcount
        again = f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM taken"
        return seconds(lambda: connection.exec_driver_sql(again)) / max(rows, 1)


def _doing(crowd: Crowd, chore: Chore, dropped: Index | None) -> float:
    with _undone(crowd, dropped) as connection:
        chore.lay_out(connection, crowd.org_id)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_PATIENCE_SECONDS}s'")
        try:
            return chore.timed(connection)
        except DBAPIError as error:
            if dropped is None or sqlstate(error) != _TIMED_OUT:
                raise
            return inf


def _scans(crowd: Crowd, chore: Chore) -> dict[str, int]:
    """Return how often the chore scans each index."""
    with _undone(crowd) as connection:
        chore.lay_out(connection, crowd.org_id)
        before = _so_far(connection)
        chore.timed(connection)
        return {name: scans - before[name] for name, scans in _so_far(connection).items()}


def _so_far(connection: Connection) -> dict[str, int]:
    return {row.relname: row.scans for row in connection.exec_driver_sql(_SCANS)}


def drawn(measured: Iterable[Measured]) -> Drawn:
    """Return the table that is printed."""
    table = Drawn()
    for title in ("index", "a row written", "with it", "scanned by", "misses it most", "without"):
        table.add_column(title)
    for each in measured:
        table.add_row(
            each.index,
            "a promise" if each.row is None else f"{each.row * 1e6:.1f} µs",
            "" if each.more is None else f"{each.more * 1e6:+.1f} µs",
            f"{each.chores} chores" if each.chores else "nothing",
            f"{each.chore}, {each.scans:,} scans" if each.chore else "",
            {None: "", inf: "given up"}.get(each.slower, f"{each.slower or 0:.2f} as long"),
        )
    return table


@click.command()
@click.option("--contacts", default=100_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(contacts: int, rounds: int) -> None:
    """Measure every index, and print one table."""
    try:
        with interruptible(), ground() as sandbox:
            Console(width=180).print(drawn(measure(sandbox, contacts, rounds)))
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None


if __name__ == "__main__":
    main()

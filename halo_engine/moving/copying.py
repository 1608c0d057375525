"""Copy an organisation's tables while it works, and catch up with what it writes meanwhile.

Each table is copied as of an instant of its own. That is enough: every row written since the
triggers were made is noted, and a round brings the noted rows as they are at one instant. After a
round the copy is the organisation as of that instant.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Table, TextClause, text

from halo_engine.domain.errors import conflict
from halo_engine.moving.clearing import clear_table
from halo_engine.moving.ledger import copy_again, move_of, note_copied
from halo_engine.moving.places import Place
from halo_engine.moving.progress import CaughtUp, Compared, Copied, Tell
from halo_engine.moving.rows import (
    Sum,
    copying_in,
    copying_noted_out,
    copying_out,
    deleting_noted,
    forget_notes,
    noted_tables,
    sum_of_noted,
    sum_of_table,
)
from halo_engine.sql.copying import stream
from halo_engine.sql.statements import statement
from halo_engine.tables import OWNED

#: So many tables are copied at a time.
_AT_ONCE: Final = 2
#: Rounds go on until so few changes came meanwhile, or for so many rounds.
_FEW: Final = 1_000
_MOST_ROUNDS: Final = 20
#: How often a table is copied again whose copies differ.
_MOST_COPIES: Final = 3

#: The largest first, so that none is left alone at the end.
_LARGE: Final = ("events", "automation_recipients", "messages", "end_users")
_BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in OWNED}


def _order(table: Table) -> int:
    return _LARGE.index(table.name) if table.name in _LARGE else len(_LARGE)


def copy(source: Place, target: Place, org_id: UUID, tell: Tell) -> None:
    """Copy each table that has not arrived yet, and catch up; then compare all of it.

    Raises a 409 if the copies of a table differ time and again.
    """
    differing: list[Table] = []
    for _ in range(_MOST_COPIES):
        _copy_tables(source, target, org_id, tell)
        _catch_up(source, target, org_id, tell)
        differing = _compare(source, target, org_id, tell)
        if not differing:
            return
        for table in differing:
            _take_back(target, org_id, table)
    named = ", ".join(table.name for table in differing)
    raise conflict(
        "copies_differ",
        f"{named}: the rows in cell {target.name} differ from those in cell {source.name}, although"
        f" they were copied {_MOST_COPIES} times. Allowed is to take the move back with --cancel.",
    )


def _copy_tables(source: Place, target: Place, org_id: UUID, tell: Tell) -> None:
    with target.transaction() as connection:
        move = move_of(connection, org_id)
    there = move.copied if move else frozenset()
    left = sorted((table for table in OWNED if table.name not in there), key=_order)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        copies = [threads.submit(_copy_table, source, target, org_id, table) for table in left]
        try:
            for each in as_completed(copies):
                if each.result().rows:
                    tell(each.result())
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _copy_table(source: Place, target: Place, org_id: UUID, table: Table) -> Copied:
    began = time.monotonic()
    with source.transaction() as out, target.transaction(as_replica=True) as into:
        rows = stream(out, copying_out(org_id, table), into, copying_in(table))
        note_copied(into, org_id, table.name)
    return Copied(table.name, rows, time.monotonic() - began)


def _catch_up(source: Place, target: Place, org_id: UUID, tell: Tell) -> None:
    for _ in range(_MOST_ROUNDS):
        if catch_up_once(source, target, org_id, tell) < _FEW:
            return


def catch_up_once(source: Place, target: Place, org_id: UUID, tell: Tell) -> int:
    """Bring what was written meanwhile; return how many changes that were."""
    with source.still() as out:
        return _round(out, target, org_id, tell)


def _round(out: Connection, target: Place, org_id: UUID, tell: Tell) -> int:
    """Bring what ``out`` sees, commit it in the target, and delete its notes in ``out``."""
    began = time.monotonic()
    bring(out, target, org_id)
    notes = forget_notes(out, org_id)
    if notes:
        tell(CaughtUp(notes, time.monotonic() - began))
    return notes


def bring(out: Connection, target: Place, org_id: UUID, *, compare: bool = False) -> None:
    """Replace the noted rows in the target by those that ``out`` sees, and commit that there.

    The notes stay in ``out``. With ``compare`` the rows are compared before the commit, and a 409
    is raised if they differ.
    """
    noted = [_BY_NAME[name] for name in noted_tables(out, org_id) if name in _BY_NAME]
    if not noted:
        return
    with target.transaction(as_replica=True) as into:
        forget_notes(into, org_id)
        stream(out, _copying_notes_out(org_id), into, _copying_notes_in())
        for table in noted:
            into.execute(deleting_noted(org_id, table))
        for table in noted:
            stream(out, copying_noted_out(org_id, table), into, copying_in(table))
        if compare:
            _check_noted(out, into, org_id, noted)
        forget_notes(into, org_id)


def _check_noted(out: Connection, into: Connection, org_id: UUID, noted: list[Table]) -> None:
    for table in noted:
        if sum_of_noted(out, org_id, table) != sum_of_noted(into, org_id, table):
            raise conflict(
                "copies_differ",
                f"{table.name}: rows that were written last differ in the two cells. Nothing was "
                "switched. Allowed is to run the command again.",
            )


@statement("copy_notes_out")
def _copying_notes_out(org_id: UUID) -> TextClause:
    notes = f"SELECT org_id, id, table_name, key FROM moved_rows WHERE org_id = '{org_id}'"
    return text(f"COPY ({notes}) TO STDOUT (FORMAT binary)")


@statement("copy_notes_in")
def _copying_notes_in() -> TextClause:
    return text("COPY moved_rows (org_id, id, table_name, key) FROM STDIN (FORMAT binary)")


def _compare(source: Place, target: Place, org_id: UUID, tell: Tell) -> list[Table]:
    """Return the tables whose copies differ, of one instant of the source."""
    with source.still() as out, ThreadPoolExecutor(1) as thread:
        _round(out, target, org_id, tell)
        theirs = thread.submit(_sums_in, target, org_id)
        ours = {table: sum_of_table(out, org_id, table) for table in OWNED}
        there = theirs.result()
    differing = [table for table in OWNED if ours[table] != there[table]]
    if not differing:
        tell(Compared(len(OWNED), sum(count for count, _ in ours.values())))
    return differing


def _sums_in(place: Place, org_id: UUID) -> Mapping[Table, Sum]:
    with place.transaction() as connection:
        return {table: sum_of_table(connection, org_id, table) for table in OWNED}


def _take_back(target: Place, org_id: UUID, table: Table) -> None:
    """Delete a table's copy: it is copied again."""
    with target.transaction() as connection:
        copy_again(connection, org_id, table.name)
    clear_table(target, org_id, table)

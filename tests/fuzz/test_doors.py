"""Any call is answered, or refused by the book, and stays in its organisation (contract §2, §11).

`HALO_TEST_FUZZ` says how many inputs there are, and `HALO_TEST_SEED` which; `make torture` asks for
more.
"""

import csv
import io
import os
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select

from halo_engine.contacts.csv_import.export import write_csv
from halo_engine.tables import companies, end_users, signals
from tests.fuzz.batches import BATCHES
from tests.fuzz.singles import SINGLES
from tests.fuzz.target import Target, new_target

INPUTS = int(os.environ.get("HALO_TEST_FUZZ", "3000"))
SEED = int(os.environ.get("HALO_TEST_SEED", "3"))


def play_turn(target: Target) -> None:
    """Throw about a thousand inputs at an organisation: two thirds of them in batches."""
    plays = [play for play, weight in SINGLES for _ in range(3 * weight)] + [*BATCHES]
    target.random.shuffle(plays)
    for play in plays:
        play(target)


@pytest.fixture(scope="module")
def targets(shared_database: Engine) -> tuple[Target, Target]:
    """Throw everything at two organisations in turn, in which everybody has the same name."""
    one, other = (
        new_target(shared_database, f"fuzz-{name}-{os.getpid()}", Random(f"{SEED} {name}"))
        for name in ("one", "other")
    )
    while one.inputs + other.inputs < INPUTS:
        for target, bystander in ((one, other), (other, one)):
            before = bystander.fingerprint()
            play_turn(target)
            assert bystander.fingerprint() == before, "nothing crosses over"
    return one, other


def test_every_input_is_answered_or_refused(targets: tuple[Target, Target]) -> None:
    """Every input is answered or refused as the contract says, and every good one is written."""
    one, other = targets
    assert one.inputs + other.inputs >= INPUTS
    assert all(0.1 < each.refusals / each.inputs < 0.9 for each in targets)


def test_no_answer_is_about_anothers_contacts(targets: tuple[Target, Target]) -> None:
    """No answer and no refusal holds an id, or a value, of the other organisation."""
    for one, other in (targets, targets[::-1]):
        ids = {str(each) for table in (end_users, companies) for each in ids_of(other, table)}
        assert ids
        assert not one.ids_told() & ids
        assert not [said for said in one.said if other.canary in said]


def ids_of(target: Target, table: Any) -> list[Any]:
    """Return the ids of all contacts, or companies, of an organisation."""
    return target.read(select(table.c.id).where(table.c.org_id == target.org_id))


def test_nothing_that_went_in_spoils_a_batch(targets: tuple[Target, Target]) -> None:
    """Series that read every written value are settled without a parked signal."""
    target, _ = targets
    target.sandbox.settle()
    waiting = select(signals.c.error).where(signals.c.org_id == target.org_id)
    assert target.read(waiting) == []


def test_no_formula_comes_out(targets: tuple[Target, Target]) -> None:
    """Any exported name or email reads back unchanged, and is never a formula."""
    for target in targets:
        for column in (end_users.c.name, end_users.c.email):
            values = target.read(
                select(column).where(end_users.c.org_id == target.org_id, column.is_not(None))
            )
            file = io.StringIO(newline="")
            write_csv(file, [[each] for each in values])
            cells = [
                row[0] if row else ""
                for row in csv.reader(io.StringIO(file.getvalue(), newline=""))
            ]
            pairs = list(zip(cells, values, strict=True))
            assert [pair for pair in pairs if pair[0] not in (pair[1], f"'{pair[1]}")] == []
            assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\0"))]

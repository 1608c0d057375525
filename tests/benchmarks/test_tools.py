"""The tools beside the workloads: they look at everything that they are to look at."""

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from benchmarks import batches, indexes
from benchmarks.chores import CHORES
from benchmarks.ground import Ground, ground
from halo_engine.tables import metadata


@pytest.fixture(scope="module")
def stage() -> Iterator[Ground]:
    """The benchmarks' own servers."""
    with ground() as stage:
        yield stage


def test_every_index_is_measured(stage: Ground) -> None:
    """Those of the database, each once; all but promises are dropped, and afterwards are there."""
    measured = list(indexes.measure(stage, contacts=150, rounds=1))
    inspector = inspect(stage.crowd(150, "indexes").database)
    promises = {f"{table.name}_pkey" for table in metadata.sorted_tables}
    others: set[str] = set()
    for table in metadata.sorted_tables:
        for index in inspector.get_indexes(table.name):
            (promises if index["unique"] else others).add(str(index["name"]))
    assert sorted(each.index for each in measured) == sorted(promises | others)
    assert {each.index for each in measured if each.promise} == promises
    assert {each.index for each in measured if each.more is not None} == others
    assert indexes.drawn(measured).row_count == len(measured)


def test_a_chore_that_takes_too_long_is_given_up(
    stage: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that runs into its limit ends it, whatever else the flow makes of one."""
    monkeypatch.setattr(indexes, "_PATIENCE_SECONDS", 0.001)
    chore = "react to changes"
    monkeypatch.setattr(indexes, "CHORES", {chore: CHORES[chore]})
    with pytest.raises(OperationalError, match="statement timeout"):
        list(indexes.measure(stage, contacts=160, rounds=1))


def test_batches_of_each_size_work_off_the_backlog(stage: Ground) -> None:
    """Signals and due rows alike; the longest transaction is a part of the whole."""
    measured = list(batches.measure(stage, backlog=60, sizes=(7, 100)))
    assert [(each.of, each.size) for each in measured] == [
        ("signals", 7),
        ("signals", 100),
        ("due rows", 7),
        ("due rows", 100),
    ]
    assert all(0 < each.longest_seconds < 60 / each.per_second for each in measured)

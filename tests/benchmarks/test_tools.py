"""The tools beside the workloads cover everything that they should measure."""

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from benchmarks import batches, indexes
from benchmarks.chores import CHORES
from benchmarks.ground import Ground, ground
from benchmarks.past import give_past
from halo_engine.tables import metadata

pytestmark = pytest.mark.torture

#: With these, indexes that are scanned and others are dropped; with all chores that takes minutes.
SOME = ("track", "erase")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Ground]:
    """The benchmarks' own servers."""
    with ground() as sandbox:
        yield sandbox


def test_every_index_is_measured(sandbox: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each index is measured once; all but the unique ones are dropped, and are
    there afterwards.
    """
    monkeypatch.setattr(indexes, "CHORES", {name: CHORES[name] for name in SOME})
    measured = list(indexes.measure(sandbox, contacts=150, rounds=1))
    inspector = inspect(sandbox.crowd(150, "indexes").database)
    promises = {f"{table.name}_pkey" for table in metadata.sorted_tables}
    others: set[str] = set()
    for table in metadata.sorted_tables:
        for index in inspector.get_indexes(table.name):
            (promises if index["unique"] else others).add(str(index["name"]))
    assert sorted(each.index for each in measured) == sorted(promises | others)
    assert {each.index for each in measured if each.promise} == promises
    assert {each.index for each in measured if each.more is not None} == others
    assert indexes.drawn(measured).row_count == len(measured)


def test_every_chore_can_be_done(sandbox: Ground) -> None:
    """Each chore takes some time on an organisation with a past, and its changes are undone."""
    crowd = sandbox.crowd(150, "chores")
    give_past(crowd, 15)
    for chore in CHORES.values():
        with crowd.database.connect() as connection:
            chore.lay_out(connection, crowd.org_id)
            assert chore.timed(connection) > 0
            connection.rollback()


def test_a_chore_that_takes_too_long_is_given_up(
    sandbox: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that runs into its limit ends it, whatever else the flow makes of one."""
    monkeypatch.setattr(indexes, "_PATIENCE_SECONDS", 0.001)
    chore = "react to changes"
    monkeypatch.setattr(indexes, "CHORES", {chore: CHORES[chore]})
    with pytest.raises(OperationalError, match="statement timeout"):
        list(indexes.measure(sandbox, contacts=160, rounds=1))


def test_batches_of_each_size_work_off_the_backlog(sandbox: Ground) -> None:
    """Signals and due rows alike; the longest transaction is a part of the whole."""
    measured = list(batches.measure(sandbox, backlog=60, sizes=(7, 100)))
    assert [(each.of, each.size) for each in measured] == [
        ("signals", 7),
        ("signals", 100),
        ("due rows", 7),
        ("due rows", 100),
    ]
    assert all(0 < each.longest_seconds < 60 / each.per_second for each in measured)

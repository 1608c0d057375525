"""CSV files are imported page by page, and resumed after an interruption (contract §2)."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, delete

from halo_engine.contacts.csv_import.resume import (
    FileOptions,
    ImportFileAnswer,
    ImportInterruptedError,
    import_file,
)
from halo_engine.database import run_in_transaction
from halo_engine.domain.errors import Refusal
from halo_engine.opening import open_work
from halo_engine.tables import csv_imports, end_users, signals
from halo_engine.work import OrgRef, Transact, Work
from tests.contacts.sandbox import (
    NOW,
    add_contact,
    committed_organization,
    committing,
    rows,
    statements,
)

HOW = FileOptions(mapping={"ID": "external_id", "Email": "email", "Plan": "plan"})
IDS = FileOptions(mapping={"ID": "external_id"})
COUNTS = ("rows_done", "created", "updated", "finished_at")

_Result = TypeVar("_Result")


class Killed(BaseException):
    """What takes a process away: no handler of errors sees it."""


def killing(database: Engine, org: OrgRef, survives: Iterator[str]) -> Transact:
    """Return what runs actions until it is killed: before the commit, or after it."""

    def transact(action: Callable[[Work], _Result]) -> _Result:
        end = next(survives)

        def opened(connection: Connection) -> _Result:
            result = action(open_work(connection, org, NOW))
            if end == "before the commit":
                raise Killed
            return result

        result = run_in_transaction(database, opened)
        if end == "after the commit":
            raise Killed
        return result

    return transact


def ends(random: Random) -> Iterator[str]:
    """Say of each transaction how it ends, two of three well."""
    while True:
        yield random.choice(["well"] * 4 + ["before the commit", "after the commit"])


def written(path: Path, count: int) -> Path:
    """Write a file in which each contact comes three times, and every seventh row is bad."""
    with path.open("w") as file:
        file.write("ID,Email,Plan\n")
        for n in range(count):
            bad = n % 7 == 6
            file.write(f"u{n % (count // 3)},{'nowhere' if bad else ''},{n}\n")
    return path


def contacts(work: Work) -> list[tuple[Any, ...]]:
    """Return who there is."""
    return sorted(rows(work, end_users, "external_id", "custom_fields"), key=str)


def signals_of(work: Work) -> Counter[str]:
    """Return how many signals of each kind there are."""
    return Counter(kind for (kind,) in rows(work, signals, "kind"))


@pytest.fixture
def org(shared_database: Engine) -> OrgRef:
    """An organisation of the test's own."""
    return committed_organization(shared_database)


def test_an_import_that_is_killed_goes_on_where_it_was(
    shared_database: Engine, tmp_path: Path
) -> None:
    """An import that is killed before or after commits, again and again, does each row once and
    reports all. It leaves the contacts, signals and answer of an import that nobody disturbed.
    """
    path = written(tmp_path / "contacts.csv", 90)
    calm = committed_organization(shared_database)
    expected = import_file(committing(shared_database, calm), path, HOW, page_size=7)
    assert (expected.created, expected.updated, expected.bad) == (30, 48, 12)
    random = Random(8)
    for _ in range(10):
        org = committed_organization(shared_database)
        assert disturbed(shared_database, org, path, random) in (None, expected)
        with shared_database.connect() as connection:
            undisturbed, other = (open_work(connection, each, NOW) for each in (calm, org))
            assert contacts(other) == contacts(undisturbed)
            assert signals_of(other) == signals_of(undisturbed)
            assert rows(other, csv_imports, *COUNTS) == rows(undisturbed, csv_imports, *COUNTS)


def disturbed(database: Engine, org: OrgRef, path: Path, random: Random) -> ImportFileAnswer | None:
    """Import a file, killed again and again; return the answer, if the last one was not killed."""
    survives, kills = ends(random), 0
    while not is_finished(database, org):
        transact = killing(database, org, survives)
        try:
            # The version that goes on may have other pages than the one that began.
            answer = import_file(transact, path, HOW, page_size=random.randint(3, 11))
        except Killed:
            kills += 1
        else:
            assert kills
            return answer.model_copy(update={"done_before": 0})
    return None


def is_finished(database: Engine, org: OrgRef) -> bool:
    """Return whether the organisation's only import has come to its end."""
    with database.connect() as connection:
        ends = rows(open_work(connection, org, NOW), csv_imports, "finished_at")
    return ends == [(NOW,)]


def test_the_answer_says_how_much_was_done_before(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """The answer counts the rows that a killed import had committed; they are not imported
    again.
    """
    path = written(tmp_path / "contacts.csv", 30)
    survives = iter(["well"] * 3 + ["before the commit"] + ["well"] * 100)
    transact = killing(shared_database, org, survives)
    with pytest.raises(Killed):
        import_file(transact, path, HOW, page_size=5)
    with statements(shared_database) as seen:
        answer = import_file(transact, path, HOW, page_size=5)
    assert answer.done_before == 10
    # How fields are registered, how far it came, four pages, which statistics are stale, the end.
    assert len([each for each in seen if "organizations" not in each]) == 2 + 4 * 4 + 2


def test_the_same_file_again_is_imported_again(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """Only an interrupted import is resumed: a finished file is imported anew, and erased contacts
    are created again.
    """
    path = written(tmp_path / "contacts.csv", 3)
    transact = committing(shared_database, org)
    first = import_file(transact, path, HOW)
    assert (first.created, first.updated, first.done_before) == (1, 2, 0)
    transact(lambda work: work.connection.execute(delete(end_users).where(_is_of(work))))
    again = import_file(transact, path, HOW)
    assert again == first


def _is_of(work: Work) -> Any:
    return end_users.c.org_id == work.org_id


def test_another_file_or_mapping_is_another_import(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """An import is identified by the file's content and the mapping, not by the file's name."""
    path = written(tmp_path / "contacts.csv", 9)
    survives = iter(["well", "well", *["before the commit"] * 2])
    transact = killing(shared_database, org, survives)
    with pytest.raises(Killed):
        import_file(transact, path, HOW, page_size=2)
    calm = committing(shared_database, org)
    assert import_file(calm, path, IDS).done_before == 0
    path.write_text(path.read_text() + "more,,1\n")
    assert import_file(calm, path, HOW).done_before == 0
    same = written(tmp_path / "renamed.csv", 9)
    assert import_file(calm, same, HOW).done_before == 2


def test_two_that_import_one_file_at_once_do_each_row_once(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """Two imports of one file at once share its pages, and each answers for the whole file."""
    path = written(tmp_path / "contacts.csv", 90)

    def run(_: int) -> ImportFileAnswer:
        return import_file(committing(shared_database, org), path, HOW, page_size=3)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(run, range(2)))
    assert {(each.created, each.updated, each.bad) for each in answers} >= {(30, 48, 12)}
    with shared_database.connect() as connection:
        assert signals_of(open_work(connection, org, NOW))["created"] == 30


def test_progress_is_reported_in_bytes_read(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """After each page the caller is told how many bytes have been read, at the end all of them."""
    path = written(tmp_path / "contacts.csv", 30)
    heard: list[int] = []
    import_file(committing(shared_database, org), path, HOW, heard.append, page_size=10)
    assert heard == sorted(heard)
    assert (len(heard), heard[-1]) == (4, path.stat().st_size)


def test_as_many_rows_are_read_as_are_asked_for(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """Reading stops after the rows that were asked for, bad ones included."""
    path = written(tmp_path / "contacts.csv", 90)
    few = FileOptions(mapping=HOW.mapping, most=13)
    answer = import_file(committing(shared_database, org), path, few, page_size=5)
    assert (answer.created, answer.updated, answer.bad) == (12, 0, 1)


def test_ctrl_c_says_how_far_the_file_is_in(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """Ctrl-C keeps what was committed, says how far the import came, and it can be resumed."""
    path = written(tmp_path / "contacts.csv", 30)
    transact = committing(shared_database, org)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(ImportInterruptedError) as raised:
        import_file(transact, path, HOW, interrupt, page_size=5)
    assert (raised.value.line, raised.value.goes_on) == (6, True)
    answer = import_file(transact, path, HOW, page_size=5)
    assert (answer.done_before, answer.created) == (5, 10)


def test_a_pipe_is_read_once(shared_database: Engine, org: OrgRef, tmp_path: Path) -> None:
    """A pipe has no length and cannot be read again, so its import is not resumed."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = written(tmp_path / "contacts.csv", 30).read_text()
    for created, updated in ((10, 16), (0, 26)):
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(pipe.write_text, text)
            answer = import_file(committing(shared_database, org), pipe, HOW, page_size=7)
            writing.result()
        assert (answer.created, answer.updated, answer.bad) == (created, updated, 4)
        assert answer.done_before == 0


def test_a_file_without_rows_is_imported(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """A file without rows is imported, again and again, and creates no contact."""
    path = tmp_path / "contacts.csv"
    path.write_text("ID\n")
    for _ in range(2):
        answer = import_file(committing(shared_database, org), path, IDS)
        assert (answer.created, answer.updated, answer.bad) == (0, 0, 0)


def test_a_mapping_that_does_not_fit_leaves_nothing(
    shared_database: Engine, org: OrgRef, tmp_path: Path
) -> None:
    """A mapping that does not fit is refused before anything is written."""
    path = written(tmp_path / "contacts.csv", 3)
    transact = committing(shared_database, org)
    with pytest.raises(Refusal, match="mapping: "):
        import_file(transact, path, FileOptions(mapping={"Nope": "email"}))
    transact(lambda work: add_contact(work, "ann"))
    assert transact(lambda work: rows(work, csv_imports, "key")) == []

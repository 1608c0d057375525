"""`halo` finds each organisation in its cell, and says what it does with cells."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, make_url, text

from halo_engine import migrate
from halo_engine.cells.agreeing import agree
from halo_engine.cells.directory import Cell, find_home
from halo_engine.cells.placing import create_in_cell
from halo_engine.organizations.settings import OrganizationAnswer, OrganizationSettings
from halo_engine.organizations.storing import create_organization
from halo_engine.settings import ConfigurationError, Settings
from halo_engine.work import OrgRef
from tests.cells.conftest import Two, url_of
from tests.cli.console import Console
from workers.cells import require_own_database


def _keys(database: Engine) -> list[str]:
    with database.connect() as connection:
        return list(connection.scalars(text("SELECT key FROM organizations ORDER BY key")))


def test_cells_are_added_listed_drained_opened_and_removed(two: Two) -> None:
    """Each command says what it did; a password is never shown."""
    halo, _, b = two
    assert halo("cells", "drain", "b") == "b takes no new organisation.\n"
    [first, second] = halo.json("cells", "list")
    assert first["cell"] == "a"
    head = migrate.head_revision()
    masked = make_url(url_of(b)).render_as_string(hide_password=True)
    assert second == {
        "cell": "b",
        "state": "draining",
        "organizations": 0,
        "most_organizations": None,
        "answers": True,
        "schema": head,
        "due_rows": 0,
        "database": masked,
    }
    assert halo("cells", "open", "b") == "b takes new organisations.\n"
    assert halo("cells", "remove", "b") == "b is no cell any more.\n"
    assert [each["cell"] for each in halo.json("cells", "list")] == ["a"]


def test_a_cell_brings_the_organisations_that_are_there(
    new_database: Callable[[], Engine], broker_url: str, tmp_path: Path
) -> None:
    """An installation with one database becomes its first cell as it is."""
    database = new_database()
    halo = Console(database, broker_url, tmp_path)
    halo("org", "create", "acme")
    halo = Console(database, broker_url, tmp_path, HALO_DIRECTORY_URL=url_of(database))
    added = halo("cells", "add", "a", url_of(database))
    assert added == "a is a cell, with one organisation.\n"
    assert "acme" in halo("org", "list")
    assert "id" in halo.json("identify", "ann", "--org", "acme")


def test_bad_cells_are_refused(
    two: Two, new_database: Callable[[], Engine], empty_database: str
) -> None:
    """Each refusal names the field, and what is allowed."""
    halo, a, _ = two
    other = new_database()
    same = url_of(a).replace("postgresql+psycopg://", "postgres://")
    gone = "postgresql://halo:secret@127.0.0.1:1/halo"
    said = {
        ("B!", url_of(other)): "name: ‘B!’ names no cell; allowed are small letters",
        ("a", url_of(other)): "name: there is a cell ‘a’ already",
        ("c", same): "url: this database is the cell ‘a’ already; allowed is one that is no cell",
        ("c", "mysql://x/y"): "url: is not a PostgreSQL URL",
        ("c", empty_database): "its schema is at nothing, this code needs",
        ("c", gone): "url: postgresql+psycopg://halo:***@127.0.0.1:1/halo does not answer",
    }
    for (name, url), problem in said.items():
        refused = halo("cells", "add", name, url, status=1)
        assert problem in refused
        assert "secret" not in refused
    assert "There is no cell ‘c’." in halo("cells", "drain", "c", status=1)
    assert "HALO_DIRECTORY_URL is not set" in halo("cells", "list", status=1, HALO_DIRECTORY_URL="")


def test_an_organisation_is_made_where_there_are_fewest(two: Two) -> None:
    """Else in the cell that is named; a full or draining one takes none."""
    halo, a, b = two
    for key in ("one", "two", "three"):
        halo("org", "create", key)
    assert (_keys(a), _keys(b)) == (["one", "three"], ["two"])
    halo("org", "create", "four", "--cell", "a")
    halo("cells", "drain", "b")
    halo("org", "create", "five")
    assert (_keys(a), _keys(b)) == (["five", "four", "one", "three"], ["two"])
    assert "‘b’ is draining; allowed is an open cell" in halo(
        "org", "create", "six", "--cell", "b", status=1
    )
    assert "There is no cell ‘c’." in halo("org", "create", "six", "--cell", "c", status=1)
    halo("cells", "drain", "a")
    assert "no cell takes a new organisation: each is draining or full" in halo(
        "org", "create", "six", status=1
    )
    assert "There is an organisation ‘two’ already." in halo("org", "create", "two", status=1)
    assert "1 organisations live in the cell ‘b’" in halo("cells", "remove", "b", status=1)


def test_a_cell_gets_another_url_and_a_restored_database(
    two: Two, new_database: Callable[[], Engine]
) -> None:
    """Another database has to be said to be a backup; what it lacks is told."""
    halo, _, b = two
    halo("org", "create", "acme", "--cell", "b")
    other, url = new_database(), url_of(b) + "&application_name=other"
    said = "b has another URL. Start its workers and beat with it.\n"
    assert halo("cells", "change", "b", "--url", url) == said

    def refused(cell: str, database: Engine, *options: str) -> str:
        given = ("cells", "change", cell, "--url", url_of(database), *options)
        return str(halo.json(*given, status=1)["refused"]["code"])

    assert refused("c", b) == "unknown_cell"
    assert refused("a", b, "--restored") == "cell_exists"
    assert refused("b", other) == "other_database"
    restored = halo("cells", "change", "b", "--url", url_of(other), "--restored")
    assert restored == said + "Not in this database, and soon forgotten: acme\n"
    halo("org", "create", "new", "--cell", "b")
    assert _keys(other) == ["new"]


def test_a_restored_database_without_what_has_moved_away_becomes_a_cell(two: Two) -> None:
    """An organisation that lives in another cell by now would live twice."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "b")
    with a.begin() as connection:
        connection.execute(text("UPDATE cell_organizations SET cell = 'a'"))
    again = ("cells", "change", "b", "--url", url_of(b), "--restored")
    refused = halo.json(*again, status=1)["refused"]
    assert refused["code"] == "organisation_exists"
    assert "‘acme’ (a)" in refused["message"]


def test_a_full_cell_takes_no_more(two: Two, new_database: Callable[[], Engine]) -> None:
    """The most that a cell takes counts when it is named, and when the directory chooses."""
    halo, a, b = two
    small = new_database()
    halo("cells", "add", "small", url_of(small), "--most", "1")
    halo("org", "create", "only", "--cell", "small")
    assert "‘small’ has 1 organisations, the most it takes" in halo(
        "org", "create", "more", "--cell", "small", status=1
    )
    for key in ("p", "q", "r"):
        halo("org", "create", key)
    assert (_keys(a), _keys(b), _keys(small)) == (["p", "r"], ["q"], ["only"])


def test_an_interrupted_creation_goes_on(two: Two) -> None:
    """Killed after each of its steps, the same command ends it; the key stays reserved."""
    halo, a, b = two
    with a.begin() as connection:
        connection.execute(text("INSERT INTO cell_organizations (key, cell) VALUES ('acme', 'b')"))
    assert "‘acme’ is being made in ‘b’; allowed is that one" in halo(
        "org", "create", "acme", "--cell", "a", status=1
    )
    made = halo.json("org", "create", "acme", "--cell", "b")
    assert (_keys(a), _keys(b)) == ([], ["acme"])
    with a.begin() as connection:
        connection.execute(text("UPDATE cell_organizations SET id = NULL, widget_key = NULL"))
    assert halo.json("org", "create", "acme")["id"] == made["id"]
    assert "There is an organisation ‘acme’ already." in halo("org", "create", "acme", status=1)


def test_a_tick_in_the_middle_of_a_creation_waits_for_nothing(two: Two) -> None:
    """It tells the directory of the organisation, which the creation does once more."""
    _, a, b = two
    told: list[int] = []

    def make(_cell: Cell) -> OrganizationAnswer:
        with b.begin() as connection:
            made = create_organization(connection, "acme", OrganizationSettings())
        # Were a lock held that the tick needs, both would wait for ever.
        impatient = create_engine(url_of(a), connect_args={"options": "-c lock_timeout=20s"})
        told.append(agree(impatient, "b", b))
        impatient.dispose()
        return made

    made = create_in_cell(a, "acme", "b", make)
    with a.connect() as connection:
        home = find_home(connection, OrgRef(key="acme"))
    assert home is not None
    assert (told, home.id, home.widget_key) == ([1], made.id, made.widget_key)


def test_commands_find_the_cell_of_their_organisation(two: Two) -> None:
    """Calls, answers and lists go to the right database, and nobody else's changes."""
    halo, a, b = two
    halo("org", "create", "left", "--cell", "a")
    halo("org", "create", "right", "--cell", "b")
    halo("identify", "ann", "--org", "right")
    with b.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM end_users")) == 1
    with a.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM end_users")) == 0
    assert "ann" in halo("contacts", "list", "--org", "right")
    assert [each["key"] for each in halo.json("org", "list")] == ["left", "right"]
    assert "There is no organisation ‘other’." in halo("org", "show", "other", status=1)
    assert "name one by --org or HALO_ORG: left, right" in halo("identify", "x", status=1)
    key = halo.json("key", "create", "--org", "right", "--role", "admin")
    assert key["role"] == "admin"


def test_a_new_widget_key_and_an_erasure_reach_the_directory(two: Two) -> None:
    """At once after a command; what was done in a cell alone comes with its next tick."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "b")
    rotated = halo.json("org", "rotate-widget-key", "acme")
    with a.connect() as connection:
        row = connection.execute(text("SELECT widget_key, old_widget_key FROM cell_organizations"))
        assert row.one() == (rotated["widget_key"], rotated["old_widget_key"])
    halo("org", "create", "acme-2", "--cell", "b")
    with b.begin() as connection:
        connection.execute(text("UPDATE organizations SET widget_key = 'w' WHERE key = 'acme-2'"))
        connection.execute(text("DELETE FROM audit_log"))
        connection.execute(text("DELETE FROM organizations WHERE key = 'acme'"))
    assert agree(a, "b", b) == 2
    assert agree(a, "b", b) == 0
    with a.connect() as connection:
        found = connection.execute(text("SELECT key, widget_key FROM cell_organizations"))
        assert found.one() == ("acme-2", "w")
    halo("org", "erase", "acme-2", "--yes")
    with a.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM cell_organizations")) == 0


def test_status_and_stops_are_about_all_cells(two: Two) -> None:
    """A stop of all mail holds in each cell; a cell that is away is named, and the rest is told."""
    halo, a, b = two
    halo("org", "create", "left", "--cell", "a")
    halo("org", "create", "right", "--cell", "b")
    halo("sending", "stop", "--by", "ann")
    for each in (a, b):
        with each.connect() as connection:
            assert connection.scalar(text("SELECT sending_stopped_by FROM installation")) == "ann"
    assert halo("sending", "show").startswith("all mail is stopped since")
    halo("sending", "start")
    assert halo("sending", "show") == "nothing stops any mail\n"
    status = json.loads(halo("status", "--json"))
    assert [each["org"] for each in status["organizations"]] == ["left", "right"]
    assert [(each["cell"], each["answers"]) for each in status["cells"]] == [
        ("a", True),
        ("b", True),
    ]
    with a.begin() as connection:
        gone = "postgresql+psycopg://h:secret@127.0.0.1:1/x"
        connection.execute(text(f"UPDATE cells SET url = '{gone}' WHERE name = 'b'"))
    status = json.loads(halo("status", "--json", status=1))
    assert [each["org"] for each in status["organizations"]] == ["left"]
    assert [each["answers"] for each in status["cells"]] == [True, False]
    shown = halo("status", status=1)
    assert "cell b: it does not answer" in shown
    assert "secret" not in shown


def test_migrate_and_doctor_say_it_of_each_cell(
    two: Two, new_database: Callable[[], Engine]
) -> None:
    """A cell that is away is named, and the others are migrated all the same."""
    halo, a, b = two
    head = migrate.head_revision()
    lines = halo("migrate").splitlines()
    assert lines == [f"{who}: at {head} already" for who in ("directory", "cell a", "cell b")]
    new = url_of(new_database())
    assert f"database: at {head} already" in halo("migrate", HALO_DATABASE_URL=new)
    found = _findings(halo("doctor", "--json", status=1))
    assert (found["directory"], found["cell a"], found["cell b"]) == ("ok", "ok", "ok")
    right = halo("doctor", "--json", status=1, HALO_CELL="a")
    assert "cell" not in _findings(right)
    wrong = halo("doctor", "--json", status=1, HALO_CELL="b")
    assert "HALO_DATABASE_URL is not the database of the cell b, HALO_CELL" in wrong
    assert "HALO_CELL is c, which is none of a, b" in halo("doctor", status=1, HALO_CELL="c")
    with a.begin() as connection:
        gone = "postgresql+psycopg://h:secret@127.0.0.1:1/x"
        connection.execute(text(f"UPDATE cells SET url = '{gone}' WHERE name = 'b'"))
    lines = halo("migrate", status=1).splitlines()
    assert lines[1:] == [f"cell a: at {head} already", "cell b: it does not answer"]
    told = halo("doctor", "--json", status=1)
    assert _findings(told)["cell b"] == "wrong"
    assert "secret" not in told
    assert b is not a


def _findings(told: str) -> dict[str, str]:
    return {each["subject"]: each["state"] for each in json.loads(told)["findings"]}


def test_a_worker_of_another_cells_database_does_not_start(two: Two) -> None:
    """Calls would go round and round; a worker of no cell would refuse those of others."""
    _, a, b = two

    def settings(cell: str | None) -> Settings:
        return Settings(directory_url=url_of(a), database_url=url_of(b), cell=cell)

    require_own_database(settings("b"))
    said = {
        "a": "HALO_DATABASE_URL: it is not the database of the cell a, which HALO_CELL names",
        "c": "HALO_CELL: there is no cell c; there are a, b",
        None: "HALO_CELL is not set; write the name of the cell to work for",
    }
    for cell, problem in said.items():
        with pytest.raises(ConfigurationError, match=problem):
            require_own_database(settings(cell))
    with pytest.raises(ValidationError, match="HALO_CELL goes with HALO_DIRECTORY_URL"):
        Settings(cell="a")


def test_what_works_on_one_database_says_so(two: Two, tmp_path: Path) -> None:
    """A command that names no organisation and no cell asks for one database."""
    halo, *_ = two
    list_ = tmp_path / "list"
    list_.write_text("")
    assert "works on one database alone" in halo("restore", "check", "--sent", str(list_), status=1)

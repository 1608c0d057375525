"""`halo org move`: between the cells of an installation, by the directory."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text, update

from halo_engine.cells.agreeing import agree
from halo_engine.moving import move as moving
from halo_engine.moving import switching
from halo_engine.tables import cells
from tests.cells.conftest import Two, url_of


def _home(halo: Two) -> str:
    with halo[1].connect() as connection:
        return str(connection.scalar(text("SELECT cell FROM cell_organizations")))


def _last(said: str) -> str:
    return said.splitlines()[-1]


def test_an_organisation_moves_there_and_back(two: Two) -> None:
    """Every command finds it in its new cell, and calls by its widget key do too."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "a")
    halo("identify", "ann", "--org", "acme")
    assert _last(halo("org", "move", "acme", "--to", "b")) == "acme lives in b."
    assert _home(two) == "b"
    halo("identify", "bob", "--org", "acme")
    for database, users in ((a, 0), (b, 2)):
        with database.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM end_users")) == users
    assert halo.json("org", "move", "acme", "--to", "a") == {
        "org": "acme",
        "cell": "a",
        "cancelled": False,
    }
    assert _home(two) == "a"
    halo("identify", "cid", "--org", "acme")


def test_a_move_that_was_cut_short_is_ended_or_taken_back(
    two: Two,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also once the directory knows the new cell; a move that was begun can be taken back."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "a")
    halo("identify", "ann", "--org", "acme")
    with monkeypatch.context() as broken:
        broken.setattr(moving, "clear", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "b")
    assert _home(two) == "b"
    assert _last(halo("org", "move", "acme", "--to", "b")) == "acme lives in b."
    with a.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM end_users")) == 0
    with monkeypatch.context() as broken:
        broken.setattr(moving, "switch", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "a")
    said = halo("org", "move", "acme", "--to", "a", "--cancel")
    assert _last(said) == "The move of acme to a is taken back."
    for database, users in ((a, 0), (b, 1)):
        with database.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM end_users")) == users


def test_the_directory_knows_an_organisation_in_the_middle_of_its_switch(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has left one cell, and has not come to the other: the same command lets it come."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "a")
    with monkeypatch.context() as broken:
        broken.setattr(switching, "wait_for_clock", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "b")
    assert agree(a, "a", a) == agree(a, "b", b) == 0
    assert _home(two) == "a"
    assert _last(halo("org", "move", "acme", "--to", "b")) == "acme lives in b."


def test_the_directory_forgets_what_was_erased_before_it_knew_of_the_move(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the move is ended: until then only its mover can say where the organisation is."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "a")
    with monkeypatch.context() as broken:
        broken.setattr("halo_engine.cli.operations.moving.note_cell", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "b")
    halo("org", "erase", "acme", "--yes")
    assert agree(a, "a", a) == agree(a, "b", b) == 0
    halo("org", "move", "acme", "--to", "b")
    assert (agree(a, "a", a), agree(a, "b", b)) == (1, 0)
    halo("org", "create", "acme", "--cell", "b")


def test_neither_cell_of_a_move_can_be_removed_nor_its_organisation_erased(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the move is over, or taken back: something would be left that no command finds."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "a")
    halo("identify", "ann", "--org", "acme")
    with monkeypatch.context() as broken:
        broken.setattr(moving, "switch", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "b")
    refused = halo.json("cells", "remove", "b", status=1)["refused"]
    assert refused["code"] == "cell_in_use"
    refused = halo.json("org", "erase", "acme", "--yes", status=1)["refused"]
    assert refused["code"] == "move_under_way"
    assert "halo org move acme --to b --cancel" in refused["message"]
    with monkeypatch.context() as broken:
        broken.setattr(moving, "clear", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "b")
    halo("org", "erase", "acme", "--yes")
    assert halo.json("cells", "remove", "a", status=1)["refused"]["code"] == "cell_in_use"
    said = halo("org", "move", "acme", "--to", "b")
    assert _last(said) == "acme does not live in b any more; what its move had left is deleted."
    with a.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM end_users")) == 0
    assert halo("cells", "remove", "b") == "b is no cell any more.\n"


def test_a_move_is_ended_while_another_cell_is_away(
    two: Two, new_database: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell that it left is found among those that answer."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "b")
    halo("cells", "add", "aa", url_of(new_database()))
    with monkeypatch.context() as broken:
        broken.setattr(moving, "clear", _fail)
        with pytest.raises(RuntimeError):
            halo("org", "move", "acme", "--to", "a")
    with a.begin() as connection:
        away = {"url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}
        connection.execute(update(cells).where(cells.c.name == "aa").values(away))
    assert _last(halo("org", "move", "acme", "--to", "a")) == "acme lives in a."
    assert halo.json("org", "move", "acme", "--to", "a", status=1)["refused"]["message"].startswith(
        "to: ‘aa’ does not answer"
    )


def _fail(*_: object) -> None:
    raise RuntimeError


def test_bad_moves_are_refused(two: Two) -> None:
    """To where it is, to no cell, to one that takes none or does not answer: each is said."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "a")

    def refused(key: str, cell: str) -> str:
        return str(halo.json("org", "move", key, "--to", cell, status=1)["refused"]["code"])

    assert refused("acme", "a") == "already_there"
    assert refused("nobody", "b") == "unknown_organisation"
    assert refused("acme", "c") == "unknown_cell"
    halo("cells", "drain", "b")
    assert refused("acme", "b") == "cell_draining"
    halo("cells", "open", "b")
    with a.begin() as connection:
        connection.execute(update(cells).where(cells.c.name == "b").values(most_organizations=1))
    halo("org", "create", "other", "--cell", "b")
    assert refused("acme", "b") == "cell_full"
    with a.begin() as connection:
        away = {"most_organizations": None, "url": "postgresql+psycopg://nobody@127.0.0.1:1/none"}
        connection.execute(update(cells).where(cells.c.name == "b").values(away))
    assert refused("acme", "b") == "database_away"
    assert _home(two) == "a"

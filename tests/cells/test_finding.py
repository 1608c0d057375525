"""Who is asked where an organisation lives, and what counts while servers are away."""

import socket
from time import monotonic

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from halo_engine.cells.asking import NoAnswer, ask_each, first_yes
from halo_engine.cells.engine import Cells
from halo_engine.cells.finding import Finder
from halo_engine.cells.known import KnownDirectory
from halo_engine.cells.owners import of_key, of_name, of_session
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.work import OrgRef
from tests.cells.conftest import Two, url_of

_NOWHERE = "postgresql+psycopg://halo@127.0.0.1:1/halo"


def _finder(directory: Database) -> Finder:
    known = KnownDirectory.at(url_of(directory))
    known.read()
    return Finder(known)


def _fails() -> None:
    with create_engine(_NOWHERE).connect():
        pass


def test_the_first_yes_counts_at_once() -> None:
    """Nobody waits for a server that does not answer, if another one says yes."""
    began = monotonic()
    assert first_yes({"a": _fails, "b": lambda: 1}, patience=60.0) == ("b", 1)
    assert monotonic() - began < 30.0


def test_a_no_counts_only_when_all_have_said_it() -> None:
    """Else the silent ones are named."""
    assert first_yes({"a": lambda: None, "b": lambda: None}) is None
    with pytest.raises(NoAnswer) as caught:
        first_yes({"a": _fails, "b": lambda: None})
    assert [*caught.value.silent] == ["a"]
    assert ask_each({"a": _fails, "b": lambda: 2}) == {"a": None, "b": 2}
    with pytest.raises(ValueError, match="invalid"):
        first_yes({"a": lambda: int("x")})


def test_what_the_directory_does_not_know_yet_the_cells_say(two: Two) -> None:
    """A widget key of a moment ago is found in its cell; so are secrets, which are remembered."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "b")
    key = halo.json("key", "create", "--org", "acme", "--role", "admin")["key"]
    finder = _finder(a)
    with b.begin() as connection:
        connection.execute(text("UPDATE organizations SET widget_key = 'new'"))
    assert finder.known(OrgRef(widget_key="new")) is None
    assert finder.look_up(OrgRef(widget_key="new")) == "b"
    assert finder.look_up(OrgRef(key="other")) is None
    assert finder.known_owner(key) is None
    found = finder.owner(key, of_key(key))
    assert found is not None
    assert found[0] == "b"
    assert finder.known_owner(key) == found
    assert finder.owner("hk_000000000000_x", of_key("hk_000000000000_x")) is None
    assert finder.owner("nobody", of_session("nobody")) is None
    finder.close()


def test_what_is_known_goes_on_without_the_directory(two: Two) -> None:
    """A stranger may live in a cell that does not answer: nobody says no then."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "b")
    finder = _finder(a)
    finder.directory.database.dispose()
    finder.directory.database = create_engine(_NOWHERE)
    assert finder.known(OrgRef(key="acme")) == "b"
    assert finder.look_up(OrgRef(key="acme")) == "b"
    with pytest.raises(NoAnswer) as caught:
        finder.look_up(OrgRef(key="other"))
    assert [*caught.value.silent] == ["directory"]
    finder.close()


def test_before_the_directory_was_read_nobody_says_no(two: Two) -> None:
    """Who knows no cells cannot tell that no cell knows something."""
    _, a, _ = two
    finder = Finder(KnownDirectory.at(url_of(a)))
    for ask in (lambda: finder.ask_all(of_session("x")), finder.directory.all_cells):
        with pytest.raises(NoAnswer) as caught:
            ask()
        assert [*caught.value.silent] == ["directory"]
    finder.directory.read()
    assert [*finder.directory.all_cells()] == ["a", "b"]
    assert finder.ask_all(of_session("x")) is None
    finder.close()


def test_a_cell_is_asked_at_its_new_url(two: Two) -> None:
    """What is added again under a name that was removed is another database."""
    halo, a, b = two
    halo("org", "create", "acme", "--cell", "b")
    finder = _finder(a)
    cells = Cells(finder, lambda cell: Engine(create_engine(cell.url), post=None))  # type: ignore[arg-type]
    asked, before = of_name(OrgRef(key="acme")), cells.engine("b")
    assert finder.ask_all(asked) is not None
    assert cells.engine("b") is before
    for url in (_NOWHERE, url_of(b)):
        with a.begin() as connection:
            connection.execute(text(f"UPDATE cells SET url = '{url}' WHERE name = 'b'"))
        finder.directory.read()
        assert url_of(cells.engine("b").database) == url
        if url == _NOWHERE:
            with pytest.raises(NoAnswer):
                finder.ask_all(asked)
    assert finder.ask_all(asked) is not None
    cells.close()


def test_a_cell_that_hangs_is_not_asked_again_at_once(two: Two) -> None:
    """Each question would wait for it; what another cell knows is found all the same."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "a")
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        hangs.setblocking(False)
        url = f"postgresql+psycopg://halo@127.0.0.1:{hangs.getsockname()[1]}/halo"
        with a.begin() as connection:
            connection.execute(text(f"UPDATE cells SET url = '{url}' WHERE name = 'b'"))
        finder, callers = _finder(a), []
        for _ in range(2):
            with pytest.raises(NoAnswer) as caught:
                finder.ask_all(of_session("nobody"))
            assert caught.value.silent == {"b": "it does not answer"}
        assert finder.ask_all(of_name(OrgRef(key="acme"))) is not None
        callers.append(hangs.accept()[0])
        with pytest.raises(BlockingIOError):
            hangs.accept()
        for each in callers:
            each.close()
    finder.close()


def test_a_move_counts_before_the_directory_says_so(two: Two) -> None:
    """What a refused write said is not undone by an older row, and ends with a newer one."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "a")
    finder, acme = _finder(a), OrgRef(key="acme")
    finder.directory.note_moved(acme, "b")
    finder.directory.read()
    assert finder.known(acme) == "b"
    assert finder.look_up(acme) == "a"
    assert finder.known(acme) == "b"
    with a.begin() as connection:
        connection.execute(
            text("UPDATE cell_organizations SET change = nextval('arrivals') WHERE key = 'acme'")
        )
    finder.directory.read()
    assert finder.known(acme) == "a"
    finder.close()

"""One organisation goes back to a point in time; the others keep what they did since."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.domain.errors import Refusal
from halo_engine.moving import move as moving
from tests.cells.conftest import Two
from tests.cli.console import Console
from tests.conftest import clone_of
from tests.moving.ground import contents, worked
from tests.restoring.ground import Drill


def test_one_organization_goes_back_to_the_backup(
    drill: Drill, back_up: Callable[[], sqlalchemy.Engine], tmp_path: Path
) -> None:
    """It is as it was, its mails that went out since stay sent once, and nobody else notices."""
    other = worked(drill.database, "other")
    backup = back_up()
    other.tick(timedelta(days=2))
    drill.identify("dan")
    drill.acme.settle()
    for _ in range(2):
        drill.acme.tick(timedelta(days=1))
    sent, now = drill.mails(), drill.acme.now
    others = contents(drill.database, other.org_id)
    live = drill.acme

    restored, halo = _console(backup, tmp_path), _console(drill.database, tmp_path)
    sum(erase_organization(partial(live.engine.ask, live.org)))
    restored("sending", "stop", "--org", "acme")
    restored("restore", "check", "--sent", str(drill.path), "--apply")
    said = halo("restore", "org", "acme", "--from", _url(backup))
    assert said.endswith("acme is here again.\n")
    assert contents(drill.database, other.org_id) == others
    assert contents(backup, live.org_id) == {}

    halo("sending", "start", "--org", "acme")
    drill.restored(drill.database)
    drill.acme.now = now
    for _ in range(4):
        drill.acme.tick(timedelta(days=1))
    assert drill.mails() == sent
    for name in ("ann", "dan"):
        drill.identify(name)
    drill.acme.settle()
    assert drill.mails()["ann", "Hi"] == 1
    assert drill.mails()["dan", "Hi"] == 2


def test_in_an_installation_with_cells_the_directory_is_told(
    two: Two, administrate: Callable[[str], None]
) -> None:
    """The organisation is found in the cell that was named."""
    halo, a, _ = two
    halo("org", "create", "acme", "--cell", "a")
    name = f"{a.url.database}_restored"
    a.dispose()
    administrate(f"CREATE DATABASE {name} {clone_of(str(a.url.database))}")
    halo("org", "erase", "acme", "--yes")
    url = a.url.set(database=name).render_as_string(hide_password=False)
    assert halo.json("restore", "org", "acme", "--from", url, "--to", "b") == {"org": "acme"}
    administrate(f"DROP DATABASE {name} WITH (FORCE)")
    halo("identify", "ann", "--org", "acme")
    [there] = [each for each in halo.json("cells", "list") if each["organizations"]]
    assert there["cell"] == "b"


def test_it_is_unknown_until_it_is_here(
    drill: Drill,
    back_up: Callable[[], sqlalchemy.Engine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it comes, calls are refused as before: nobody works on the restored database."""
    backup = back_up()
    live, halo = drill.acme, _console(drill.database, tmp_path)
    sum(erase_organization(partial(live.engine.ask, live.org)))
    with monkeypatch.context() as broken:
        broken.setattr(moving, "switch", _fail)
        with pytest.raises(RuntimeError):
            halo("restore", "org", "acme", "--from", _url(backup))
    with pytest.raises(Refusal, match="There is no organisation"):
        live.engine.ask(live.org, lambda work: work.org_id)
    halo("restore", "org", "acme", "--from", _url(backup))
    assert live.engine.ask(live.org, lambda work: work.org.key) == "acme"


def _fail(*_: object) -> None:
    raise RuntimeError


def test_a_database_that_is_none_is_refused(database: sqlalchemy.Engine, tmp_path: Path) -> None:
    """The refusal names the option, and what is allowed."""
    halo = _console(database, tmp_path)
    for url, code in (
        ("nowhere", "bad_url"),
        ("postgresql://nobody@127.0.0.1:1/none", "database_away"),
        (_url(database), "unknown_organisation"),
    ):
        [refused] = halo.json("restore", "org", "acme", "--from", url, status=1).values()
        assert refused["code"] == code


def _console(database: sqlalchemy.Engine, folder: Path) -> Console:
    return Console(database, "redis://127.0.0.1:1/0", folder)


def _url(database: sqlalchemy.Engine) -> str:
    return database.url.render_as_string(hide_password=False)

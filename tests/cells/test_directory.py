"""The directory says in which cell an organisation lives."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, insert

from halo_engine.cells.directory import (
    Home,
    all_cells,
    cell_named,
    cell_of,
    find_home,
    forget_organization,
    homes_since,
    note_organization,
    set_cell,
)
from halo_engine.domain.errors import Refusal
from halo_engine.tables import cell_organizations, cells
from halo_engine.work import OrgRef

_ACME = UUID(int=1)


@pytest.fixture
def directory(database: Engine) -> Iterator[Connection]:
    """A directory of two cells, with the organisation `acme` in the first, and `new` reserved."""
    with database.connect() as connection:
        for name in ("b", "a"):
            row = {"name": name, "url": f"postgresql://u:secret@{name}/halo", "identity": name}
            connection.execute(insert(cells).values(row))
        acme = {"key": "acme", "cell": "a", "id": _ACME}
        keys = {"widget_key": "now", "old_widget_key": "then"}
        connection.execute(insert(cell_organizations).values({**acme, **keys}))
        connection.execute(insert(cell_organizations).values(key="new", cell="b"))
        yield connection


def _refusal(run: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        run()
    return caught.value.status, caught.value.code


def test_a_cell_is_found_by_its_name_and_by_its_organisations(directory: Connection) -> None:
    """Cells come by name; nobody sees a password in what is printed of one."""
    assert [each.name for each in all_cells(directory)] == ["a", "b"]
    found = cell_named(directory, "a")
    assert (found.state, found.most_organizations, found.identity) == ("open", None, "a")
    assert "secret" not in repr(found)
    assert found.url == "postgresql://u:secret@a/halo"
    assert cell_of(directory, "acme") == found
    assert _refusal(lambda: cell_of(directory, "other")) == (404, "unknown_organisation")
    assert _refusal(lambda: cell_named(directory, "c")) == (404, "unknown_cell")
    assert _refusal(lambda: cell_named(directory, "\0")) == (404, "unknown_cell")


def test_an_organisation_is_found_by_all_its_names(directory: Connection) -> None:
    """Id, key, widget key and the one before lead to it; other names to nothing."""
    names = (
        OrgRef(id=_ACME),
        OrgRef(key="acme"),
        OrgRef(widget_key="now"),
        OrgRef(widget_key="then"),
    )
    found = [find_home(directory, name) for name in names]
    assert {home and home.key for home in found} == {"acme"}
    others = (OrgRef(id=uuid4()), OrgRef(key="now"), OrgRef(widget_key="acme"), OrgRef(key="\0"))
    assert [find_home(directory, name) for name in others] == [None] * 4


def test_who_reads_on_misses_no_change(directory: Connection) -> None:
    """A move, a new widget key, and an organisation that is made come with what changed since."""
    homes = homes_since(directory, 0)
    assert [(each.key, each.cell, each.id) for each in homes] == [
        ("acme", "a", _ACME),
        ("new", "b", None),
    ]
    last = homes[-1].change
    assert homes_since(directory, last) == []
    set_cell(directory, _ACME, "b")
    note_organization(directory, "new", UUID(int=2), "w", None)
    [acme, new] = homes_since(directory, last)
    assert acme[:5] == ("acme", "b", _ACME, "now", "then")
    assert new[:5] == ("new", "b", UUID(int=2), "w", None)
    assert find_home(directory, OrgRef(widget_key="w")) == Home(*new)
    forget_organization(directory, "acme")
    assert find_home(directory, OrgRef(key="acme")) is None


def test_a_move_names_a_cell_and_an_organisation_that_are_there(directory: Connection) -> None:
    """Others are refused, and nothing changes."""
    assert _refusal(lambda: set_cell(directory, _ACME, "c")) == (404, "unknown_cell")
    assert _refusal(lambda: set_cell(directory, uuid4(), "b")) == (404, "unknown_organisation")
    assert cell_of(directory, "acme").name == "a"

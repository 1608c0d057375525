"""A mover that is killed at any statement leaves a move that the same command finishes."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine

from halo_engine.moving.move import cancel
from tests.moving.ground import contents, lives, triggers, url_of, worked
from tests.moving.killing import Point, killed_at, points_of, refused

#: In ``make test`` a mover is killed where this is sent for the first time.
_WHERE = ("create_trigger", "note_copied", "note_moved", "remove_organization", "clear_page")


class Cells:
    """Two cells; ``acme`` lives in one of them, and everything of it stays the same."""

    def __init__(self, first: Engine, second: Engine) -> None:
        self.engines = (first, second)
        first_url, second_url = (url_of(each) for each in self.engines)
        self.urls = (first_url, second_url)
        self.id: UUID = worked(first, "acme").org_id
        self.all = contents(first, self.id)

    def there_and_back(self) -> list[Point]:
        """Move it there and back; return what the first mover sent."""
        sent = points_of(*self.urls)
        points_of(*self.urls[::-1])
        return sent

    def survives(self, point: int) -> bool:
        """Kill a mover at that point, let another finish, and look; return whether it died.

        The next one goes the other way.
        """
        died = killed_at(point, *self.urls)
        assert sum(lives(each, self.id) for each in self.engines) <= 1
        if died:
            self._is_finished()
        self._turn()
        assert contents(self.engines[0], self.id) == self.all
        self._is_clean()
        return died

    def can_be_taken_back(self, point: int) -> None:
        """Kill a mover at that point, take its move back if it has not moved, and look."""
        killed_at(point, *self.urls)
        refusal = refused(*self.urls, cancel)
        if refusal == "already_there":
            self._is_finished()
            self._turn()
        else:
            assert refusal in (None, "no_move")
        assert contents(self.engines[0], self.id) == self.all
        self._is_clean()

    def _is_finished(self) -> None:
        """Give the same command again; after its last commit nothing was left to do."""
        assert refused(*self.urls) in (None, "already_there")

    def _turn(self) -> None:
        self.engines, self.urls = self.engines[::-1], self.urls[::-1]

    def _is_clean(self) -> None:
        assert contents(self.engines[1], self.id) == {}
        assert [triggers(each) for each in self.engines] == [0, 0]


@pytest.fixture
def cells(database: Engine, new_database: Callable[[], Engine]) -> Cells:
    """The first cell has the organisation."""
    return Cells(database, new_database())


def _first(points: list[Point], name: str) -> int:
    return next(at for at, point in enumerate(points) if point[1] == name)


def test_the_same_command_finishes_what_a_killed_mover_began(cells: Cells) -> None:
    """Killed at a statement of each step: nothing is lost or doubled, and the organisation never
    lives in two cells.
    """
    sent = cells.there_and_back()
    for name in _WHERE:
        assert cells.survives(_first(sent, name))


def test_a_killed_move_can_be_taken_back(cells: Cells) -> None:
    """Killed while it copied, it leaves nothing once it is taken back."""
    cells.can_be_taken_back(_first(cells.there_and_back(), "note_copied"))


@pytest.mark.torture
def test_a_mover_may_be_killed_at_every_statement(cells: Cells) -> None:
    """At each statement and each commit that it sends to either server, from the first on."""
    point = 0
    while cells.survives(point):
        point += 1
    assert point > 500


@pytest.mark.torture
def test_a_move_may_be_taken_back_wherever_it_was_killed(cells: Cells) -> None:
    """At the first statement of each name; where it has moved, the same command finishes it."""
    sent = cells.there_and_back()
    for name in dict.fromkeys(name for _, name in sent):
        cells.can_be_taken_back(_first(sent, name))

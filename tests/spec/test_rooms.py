"""Rooms are small enough to look through, and large enough to be worth a name (decision 39)."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("halo_engine", "workers", "benchmarks", "tests")


def _modules() -> dict[str, int]:
    """Return how many modules each package has of its own; parents of rooms may have none."""
    packages = (init.parent for folder in _FOLDERS for init in (ROOT / folder).rglob("__init__.py"))
    return {
        package.relative_to(ROOT).as_posix(): len(list(package.glob("*.py"))) - 1
        for package in packages
    }


def test_no_room_has_more_than_fifteen_modules() -> None:
    """A larger one falls apart by subject."""
    assert {room: count for room, count in _modules().items() if count > 15} == {}


def test_no_room_has_a_single_module() -> None:
    """A module needs no package of its own; the root of the tests has their fixtures."""
    assert [room for room, count in _modules().items() if count == 1] == ["tests"]

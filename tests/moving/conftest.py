"""Two databases, and an organisation with something of everything in the first."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from halo_engine.moving.places import Place, opened
from tests.cells.conftest import two
from tests.moving.ground import Pair

__all__ = ["two"]


@pytest.fixture
def places(database: Engine, new_database: Callable[[], Engine]) -> Iterator[tuple[Place, Place]]:
    """Connections of a mover to the cells ``a`` and ``b``."""
    with ExitStack() as stack:
        yield tuple(  # type: ignore[misc]
            stack.enter_context(opened(name, each.url.render_as_string(hide_password=False)))
            for name, each in (("a", database), ("b", new_database()))
        )


@pytest.fixture
def pair(places: tuple[Place, Place]) -> Pair:
    """An organisation at work in ``a``, beside another there, and nothing in ``b``."""
    return Pair(*places)

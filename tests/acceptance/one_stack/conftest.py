"""A worker and a beat that all modules of this folder share."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.acceptance.conftest import Stack


@pytest.fixture(scope="package")
def stack(start_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Stack]:
    """Run a worker and a beat, whose mail goes into a folder."""
    with start_stack() as stack:
        yield stack

"""A worker, a beat and a loaded `halo` for the pages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import pytest

from tests.acceptance.conftest import start_stack
from tests.acceptance.one_stack.conftest import stack

__all__ = ["stack", "start_stack"]

_PATIENCE_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.02


@pytest.fixture(scope="module")
def commands() -> Iterator[Path]:
    """A folder with `halo`, loaded once for all pages."""
    with TemporaryDirectory() as folder:
        shim = Path(folder) / "bin" / "halo"
        shim.parent.mkdir()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.pages.halo_server", f"{folder}/socket", shim],
            env={name: value for name, value in os.environ.items() if not name.startswith("HALO_")},
        )
        try:
            ends = monotonic() + _PATIENCE_SECONDS
            while not os.access(shim, os.X_OK):
                assert monotonic() < ends
                assert server.poll() is None
                sleep(_LOOK_AGAIN_SECONDS)
            yield shim.parent
        finally:
            server.kill()
            server.wait()

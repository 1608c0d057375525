"""Web processes, and clients that npm installs."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest

from tests.web.conftest import start

__all__ = ["start"]

#: What the clients from npm send with: `package-lock.json` pins them.
NODE_SOURCES: Final = Path(__file__).parent / "node"
#: How long what runs in Node may take.
NODE_SECONDS: Final = 120
_BUILD: Final = Path(__file__).parents[2] / "build"


@pytest.fixture(scope="session")
def npm_clients() -> Path:
    """The folder of the clients that npm installed; without Node or npm their tests do not run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node is not there: its clients did not run")
    lock = sha256((NODE_SOURCES / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = _BUILD / f"node-clients-{lock}"
    if not folder.exists():
        _BUILD.mkdir(exist_ok=True)
        draft = Path(mkdtemp(prefix="node-clients-", dir=_BUILD))
        shutil.copytree(NODE_SOURCES, draft, dirs_exist_ok=True)
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        done = subprocess.run(
            [npm, "ci", *options],
            cwd=draft,
            timeout=NODE_SECONDS,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            shutil.rmtree(draft)
            pytest.skip(f"npm cannot install, so its clients did not run: {done.stderr}")
        try:
            draft.rename(folder)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
    return folder

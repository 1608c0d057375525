"""The folders of a stack's data, and the process that owns one while the stack runs."""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from .children import StackError, stop_leftovers
from .interruption import shielded

_CLONE = Path(__file__).resolve().parents[2]
#: The stack's project: the clone that holds the code. For an installed wheel it is the folder in
#: which the command was called.
PROJECT = _CLONE if (_CLONE / "pyproject.toml").exists() else Path.cwd()

#: As root, PostgreSQL runs as another account, which must have access to its data.
_PASSABLE = 0o711
_PRIVATE = 0o700
_TRIES = 25


def state_folder() -> Path:
    """The folder of this project for everything a stack writes, made when it is missing.

    `.halo` in the project; as root one named after the project's path in the system's folder for
    temporary files that outlive a reboot, since PostgreSQL must then run as an account that may be
    barred from the project, and no permission of anyone's is loosened for it.
    """
    if os.geteuid() != 0:
        return _made(PROJECT / ".halo", _PRIVATE)
    name = re.sub(r"[^\w-]", "-", PROJECT.name, flags=re.ASCII)[:20]
    digest = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:10]
    return _made(Path("/var/tmp") / f"halo-engine-{name}-{digest}", _PASSABLE)


def lasting_folder(name: str) -> Path:
    """The folder of the stack called `name`, kept from run to run."""
    return _made(state_folder() / name, _folder_mode())


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Own `folder` during the body, and stop what runs in it before and afterwards.

    Before, that is what a crashed owner left; afterwards, what an interruption did. Raises
    StackError when another process owns it. A killed owner no longer owns it: its lock is gone.
    """
    with (folder / "owner").open("a+") as lock:
        if not _locked(lock):
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise StackError(
                f"the stack in {folder} is running already (process {owner}): stop that one first"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        with shielded():
            stop_leftovers(folder)
        try:
            yield
        finally:
            # A signal may have come between a start and the moment its caller knew of it.
            with shielded():
                stop_leftovers(folder)


def is_claimed(folder: Path) -> bool:
    """Whether a living process owns `folder` at this moment."""
    try:
        with (folder / "owner").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def throwaway_folder(name: str) -> Iterator[Path]:
    """Own a new folder of the stack called `name` during the body, then delete it.

    Any number may exist at once. Folders that killed processes left are deleted first, and what
    still runs in them is stopped.
    """
    runs = _made(state_folder() / "runs", _folder_mode())
    with ExitStack() as stack:
        with (runs / "lock").open("w") as lock:
            # Held until the new folder is claimed: else another process could take it for a
            # leftover.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _clear_leftovers(runs)
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=runs))
            folder.chmod(_folder_mode())
            stack.enter_context(claimed(folder))
        try:
            yield folder
        finally:
            _clear(folder)


def _clear_leftovers(runs: Path) -> None:
    for folder in runs.iterdir():
        if folder.is_dir() and not is_claimed(folder):
            _clear(folder)


def _clear(folder: Path) -> None:
    with shielded():
        stop_leftovers(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _locked(lock: IO[str]) -> bool:
    """Take the lock; try for a moment, since another process may only be looking at it.

    Tries are counted, not seconds: a machine that stands still lets neither process go on.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _folder_mode() -> int:
    return _PASSABLE if os.geteuid() == 0 else _PRIVATE


def _made(folder: Path, mode: int) -> Path:
    folder.mkdir(exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StackError(f"{folder} belongs to somebody else: remove it, or move the project")
    folder.chmod(mode)
    return folder

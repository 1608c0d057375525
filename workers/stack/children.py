"""Child processes, recorded in a folder so that the next run can end what a crash left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from .interruption import shielded

_NOTES = "processes"
_POLL_SECONDS = 0.02
_KILLED_WITHIN_SECONDS = 5.0
#: Two readings of one process's start may differ by this much; a reused pid differs by more.
_SAME_START_SECONDS = 2.0


class StackError(Exception):
    """The stack cannot do what was asked; the message is one line for a person."""


@dataclass(frozen=True)
class Stopping:
    """The way to stop a kind of process: signals, one after the other, each with seconds to wait.

    A process that outlives the last one is killed, with its process group.
    """

    steps: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)


@dataclass(frozen=True)
class Child:
    """A running process, its record in the stack's folder, its log (None: it shares our output)."""

    name: str
    process: subprocess.Popen[bytes]
    note: Path
    log: Path | None
    stopping: Stopping

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def last_words(self, lines: int = 3) -> str:
        """The last lines of the log on one line, for an error message; empty without a log."""
        if self.log is None or not self.log.exists():
            return ""
        text = self.log.read_text(errors="replace").strip().splitlines()[-lines:]
        return " | ".join(line.strip() for line in text)

    def stop(self) -> None:
        """Stop the process, and remove its record. Stopping twice is harmless."""
        with shielded():
            for signum, patience in self.stopping.steps:
                if not self.exited:
                    self.process.send_signal(signum)
                if self._ended_within(patience):
                    break
            _kill_group(self.process.pid)
            self.process.wait()
            self.note.unlink(missing_ok=True)

    def _ended_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


@dataclass(frozen=True)
class Account:
    """A system account to run a child as, when this process is root."""

    uid: int
    gid: int


def start_child(
    folder: Path,
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    log: Path | None = None,
    stopping: Stopping | None = None,
) -> Child:
    """Start `command` in a session of its own, noted in `folder` under `name`.

    Its own session keeps a terminal's Ctrl-C from it: its owner stops it in the right order. The
    log is overwritten; without one the child shares this process's output. Its working directory is
    ours; under another account, which may have no access there, it is `folder`.
    """
    stopping = stopping or Stopping()
    note = folder / _NOTES / f"{name}.json"
    note.parent.mkdir(exist_ok=True)
    with shielded():
        output = _begun(log) if log else None
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output or sys.stderr,
                stderr=output or sys.stderr,
                cwd=folder if account else None,
                env=None if environment is None else dict(environment),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()
        note.write_text(
            json.dumps(
                {
                    "pid": process.pid,
                    "started": psutil.Process(process.pid).create_time(),
                    "steps": [[int(signum), patience] for signum, patience in stopping.steps],
                }
            )
        )
        return Child(name, process, note, log, stopping)


def _begun(log: Path) -> IO[bytes]:
    """Overwrite a log; only its owner may read it."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(output, 0o600)
    return os.fdopen(output, "wb")


def wait_until(
    child: Child, condition: Callable[[], bool], what: str, *, seconds: float = 180.0
) -> None:
    """Poll `condition`, which `what` describes, until it holds.

    Raises StackError when the child ends first, or when `seconds` are over.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if child.exited:
            problem = f"{child.name} ended with status {child.process.returncode} before {what}"
        elif time.monotonic() > deadline:
            problem = f"{child.name}: {seconds:g} seconds were over before {what}"
        else:
            time.sleep(_POLL_SECONDS)
            continue
        raise StackError(": ".join(filter(None, [problem, child.last_words()])))


def stop_leftovers(folder: Path) -> None:
    """Stop the processes that a crashed owner of `folder` left running, newest first.

    A record whose pid belongs to another process by now is only removed.
    """
    notes = sorted((folder / _NOTES).glob("*.json"), key=lambda note: note.stat().st_mtime)
    for note in reversed(notes):
        try:
            noted = json.loads(note.read_text())
            process = psutil.Process(noted["pid"])
            if abs(process.create_time() - noted["started"]) <= _SAME_START_SECONDS:
                _stop_foreign(process, noted["steps"])
        except (psutil.NoSuchProcess, ValueError):
            pass  # it is gone, or the crash came before the note was whole
        note.unlink(missing_ok=True)


def _stop_foreign(process: psutil.Process, steps: Sequence[tuple[int, float]]) -> None:
    for signum, patience in steps:
        process.send_signal(signum)
        if _gone_within(process, patience):
            break
    _kill_group(process.pid)
    _gone_within(process, _KILLED_WITHIN_SECONDS)


def _gone_within(process: psutil.Process, seconds: float) -> bool:
    """Wait for the end of a process that is not our child, a zombie included."""
    deadline = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
    return True


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):  # nobody of the group is left
        os.killpg(pid, signal.SIGKILL)

"""Running the `halo` command as a person does: as a process, with an environment."""

import os
import subprocess
import sys
from pathlib import Path

HALO = Path(sys.executable).with_name("halo")


def start_halo(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start `halo` in a session of its own, standard error joined to standard output."""
    return subprocess.Popen(
        [HALO, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_halo(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `halo` to its end; return its exit status and what it printed."""
    process = start_halo(*arguments, **environment)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def lines_until(process: "subprocess.Popen[str]", word: str) -> list[str]:
    """Return what a process prints, up to the line that begins with ``word``; [] if none does."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(word):
            return lines
    return []

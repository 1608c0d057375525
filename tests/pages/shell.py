"""A shell that types a page's snippets, one after another."""

import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final
from uuid import uuid4

_PATIENCE_SECONDS: Final = 300.0
_LOOK_AGAIN_SECONDS: Final = 0.05


class Shell:
    """One bash for a whole page: folders, variables and activated environments stay."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._started = 0

    def run(self, text: str, status: int = 0) -> str:
        """Run the text and return what it printed; its last command must end with ``status``.

        Any other command that fails ends the page.
        """
        mark = f"ended-{uuid4().hex}"
        script = self._script(text)
        strict = "set -e" if status == 0 else "set +e"
        self._type(f"{strict}\n. {script} </dev/null\nprintf '\\n%s %s' {mark} $?\n")
        printed = self._read_until(re.compile(rf"\n{mark} (\d+)$"))
        assert printed is not None, f"a command failed:\n{self._printed}"
        assert int(printed[1]) == status, f"it ended with {printed[1]}:\n{self._printed}"
        return self._printed[: printed.start()]

    def start(self, text: str) -> Path:
        """Run the text beside what follows; return the file into which it prints."""
        log = self._folder / f".printed-{self._started}"
        log.touch()
        self.run(f"( {text} ) >{log} 2>&1 &")
        return log

    def _script(self, text: str) -> Path:
        self._started += 1
        script = self._folder / f".snippet-{self._started}"
        script.write_text(text, encoding="utf-8")
        return script

    def _type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _read_until(self, ending: re.Pattern[str]) -> re.Match[str] | None:
        """Read until the output has this ending; None where the shell ends before."""
        assert self._process.stdout is not None
        out, read, ends = self._process.stdout.fileno(), b"", monotonic() + _PATIENCE_SECONDS
        while True:
            self._printed = read.decode(errors="replace").replace("\r\n", "\n")
            if found := ending.search(self._printed):
                return found
            ready, _, _ = select.select([out], [], [], max(0.0, ends - monotonic()))
            assert ready, f"not within {_PATIENCE_SECONDS:.0f} s; it printed:\n{self._printed}"
            more = os.read(out, 65536)
            if not more:
                return None
            read += more


@contextmanager
def open_shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Open a shell in a folder; at the end all that it started is asked to end."""
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    shell = Shell(process, folder)
    try:
        yield shell
        # What runs beside it ends before its folder goes.
        shell.run("trap : TERM; kill 0; wait")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(log: Path, expected: re.Pattern[str]) -> None:
    """Wait until a file holds what is expected."""
    ends = monotonic() + _PATIENCE_SECONDS
    while not expected.search(log.read_text(encoding="utf-8")):
        assert monotonic() < ends, f"it printed:\n{log.read_text(encoding='utf-8')}"
        sleep(_LOOK_AGAIN_SECONDS)


def pattern_of(shown: str) -> re.Pattern[str]:
    """Return what a page shows of an output as a pattern: ``…`` is anything, blanks are alike.

    A line that is ``…`` alone is any number of lines.
    """
    lines = [line.rstrip() for line in shown.strip("\n").split("\n")]
    made = [
        r"(?:.*\n)*?.*" if line.strip() == "…" else re.escape(line).replace("…", ".*?")
        for line in lines
    ]
    return re.compile(r"^" + r"[ ]*\n".join(made) + r"[ ]*$", re.MULTILINE)

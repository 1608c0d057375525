"""What `halo series activate` asks a person at a terminal, on a pseudo-terminal (contract §18)."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import pytest

from tests.cli.console import Console
from tests.platform.commands import HALO, run_halo

LETTER = """\
    series:
      letter:
        entry_trigger: manual
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
"""
COMMAND = ("series", "activate", "letter", "--no-wait")
ASKED = "Activate it? [y/N]: "
CTRL_C = "\x03"
Process: TypeAlias = "subprocess.Popen[bytes]"
#: Makes the terminal that of the session, so that Ctrl-C reaches the command; jobs in a shell's
#: background would ignore it.
_TAKE_TERMINAL: Final = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def letter(halo: Console) -> Console:
    """An organisation of 101 contacts, and a draft for all of them."""
    rows = "".join(f"u{n},u{n}@a.example\n" for n in range(101))
    file = halo.file("people.csv", f"id,email\n{rows}")
    halo("contacts", "import", file, "--map", "id=external_id", "--map", "email=email")
    halo("series", "apply", halo.file("letter.yaml", LETTER))
    return halo


class Terminal:
    """A person at a terminal: what is printed, and what is typed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.printed = ""

    def wait_for(self, text: str) -> None:
        """Read until ``text`` is printed."""
        while text not in self.printed:
            read = self._read()
            assert read, f"the command ended without ‘{text}’: {self.printed}"

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def insist(self, keys: str, answer: str) -> str:
        """Press keys, again when nothing answers in ten seconds; return all that is printed.

        Python misses a Ctrl-C that comes after it asked and just before it reads.
        """
        for _ in range(12):
            self.type(keys)
            while answer not in self.printed and self._is_readable(10):
                assert self._read(), f"the command ended without ‘{answer}’: {self.printed}"
            if answer in self.printed:
                return self.rest()
        raise AssertionError(f"the command goes on: {self.printed}")

    def rest(self) -> str:
        """Read until the command has ended; return all that it printed."""
        while self._read():
            pass
        return self.printed.replace("\r\n", "\n")

    def _is_readable(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        return bool(readable)

    def _read(self) -> str:
        assert self._is_readable(120), f"the command neither printed nor ended: {self.printed}"
        try:
            read = os.read(self._descriptor, 4096).decode()
        except OSError:
            # Linux says so when nobody has the other end any more.
            read = ""
        self.printed += read
        return read


@contextmanager
def at_terminal(console: Console) -> Iterator[tuple[Terminal, Process]]:
    """Activate the letter with a terminal as input and output."""
    near, far = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, HALO, *COMMAND],
            stdin=far,
            stdout=far,
            stderr=far,
            env={**os.environ, **console.environment},
            start_new_session=True,
        )
        os.close(far)
        try:
            yield Terminal(near), process
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(near)


def status(console: Console) -> str:
    """Return the status of the letter."""
    found: str = console.json("series", "show", "letter")["status"]
    return found


def test_a_person_who_says_yes_activates(letter: Console) -> None:
    """The numbers come before the question, and a yes activates."""
    with at_terminal(letter) as (terminal, process):
        terminal.wait_for(ASKED)
        assert terminal.printed.startswith("101 enter now; the first mails go at ")
        assert status(letter) == "draft"
        terminal.type("y\n")
        assert "letter is active; 0 enrolled." in terminal.rest()
        assert process.wait() == 0
    assert status(letter) == "active"


@pytest.mark.parametrize("keys", ["n\n", CTRL_C])
def test_whoever_does_not_say_yes_activates_nothing(letter: Console, keys: str) -> None:
    """A no and Ctrl-C end the command, and the series stays a draft."""
    with at_terminal(letter) as (terminal, process):
        terminal.wait_for(ASKED)
        assert terminal.insist(keys, "Aborted!").endswith("Aborted!\n")
        assert process.wait() == 1
    assert status(letter) == "draft"


def test_nobody_is_asked_without_a_terminal(letter: Console) -> None:
    """A script is not asked: it says `--confirm`, or means everybody."""
    code, said = run_halo(*COMMAND, **letter.environment)
    assert code == 0
    assert ASKED not in said
    assert status(letter) == "active"

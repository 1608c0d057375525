"""Reads the fenced snippets of a page, and what is said about how each is run.

A comment before a snippet says what is special about it:

- ``<!-- not run: REASON -->``: it is only shown.
- ``<!-- runs on -->``: it runs beside all that follows, until the page ends.
- ``<!-- exits 1 -->``: its last command ends with that status.

A ``text`` snippet after a shell snippet is what that one prints; ``…`` stands for anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Final

_FENCE: Final = re.compile(
    r"(?:^ *<!-- (?P<remark>[^\n]*?) -->\n\n?)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_FILE_NAME: Final = re.compile(r"# (\S+\.\w+)$")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block: where it is, what it holds, and the comment before it."""

    page: Path
    line: int
    language: str
    text: str
    remark: str

    @property
    def why_not_run(self) -> str | None:
        """Why it is only shown, if it is."""
        before, _, reason = self.remark.partition("not run: ")
        return reason if reason and not before else None

    @property
    def runs_on(self) -> bool:
        """Whether it runs beside what follows."""
        return self.remark == "runs on"

    @property
    def status(self) -> int:
        """How its last command ends."""
        return int(self.remark.removeprefix("exits ")) if self.remark.startswith("exits ") else 0

    @property
    def file_name(self) -> str | None:
        """The file that it shows: its first line is a comment with that name."""
        named = _FILE_NAME.match(self.text.partition("\n")[0])
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.page.name}, line {self.line}"


def snippets_of(page: Path) -> Iterator[Snippet]:
    """Yield the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Snippet(
            page,
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            dedent(found["text"]),
            found["remark"] or "",
        )

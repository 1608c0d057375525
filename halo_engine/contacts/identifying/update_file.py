"""A file of users to update, one a line as JSON: read page by page, reported by line (§2)."""

import codecs
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from halo_engine.contacts.batches import LARGEST_BATCH
from halo_engine.contacts.identifying.update import UpdateAnswer, UpdateCall, write_batch
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input
from halo_engine.work import Transact, Work

#: In bytes; a longer line ends the file.
LONGEST_LINE: Final = 16_000_000
#: An answer lists so many bad lines; it counts all of them.
MOST_ERRORS_SHOWN: Final = 1000
_EXAMPLE: Final = '{"user_id": "ann", "traits": {"plan": "pro"}}'


class BadLine(Answer):
    """A line that was left out, the first of the file being 1, and why."""

    line: int
    code: str
    message: str


class UpdateFileAnswer(Answer):
    """The result: ``bad`` counts the lines that were left out, ``errors`` shows the first 1,000."""

    created: int
    updated: int
    skipped: int
    bad: int
    errors: tuple[BadLine, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class UserPage:
    """Consecutive users with their ``lines``, and lines that hold none."""

    users: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    errors: list[BadLine] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many lines it is made of."""
        return len(self.lines) + len(self.errors)


class UpdatedFile:
    """What came of a file's pages so far."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(("created", "updated", "skipped", "bad"), 0)
        self._errors: list[BadLine] = []
        self._warnings: dict[str, None] = {}

    def add(self, page: UserPage, answer: UpdateAnswer) -> None:
        """Add what came of a page."""
        errors = sorted((*page.errors, *_late_errors(page, answer)), key=lambda each: each.line)
        for name in ("created", "updated", "skipped"):
            self._counts[name] += getattr(answer, name)
        self._counts["bad"] += len(errors)
        self._errors += errors[: MOST_ERRORS_SHOWN - len(self._errors)]
        self._warnings |= dict.fromkeys(answer.warnings)

    def as_answer(self) -> dict[str, Any]:
        """Return the fields of an answer."""
        return {
            **self._counts,
            "errors": tuple(self._errors),
            "warnings": tuple(self._warnings),
        }


def user_pages(path: Path) -> Iterator[UserPage]:
    """Read a file page by page; blank lines are passed over.

    Raises 400 for a line that is far too long, OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        page = UserPage()
        for number, line in _lines(file):
            try:
                page.users.append(json.loads(line.decode()))
                page.lines.append(number)
            except (ValueError, RecursionError):
                problem = f"line {number} is no JSON; allowed is an object such as {_EXAMPLE}"
                page.errors.append(BadLine(line=number, code="bad_input", message=problem))
            if page.size == LARGEST_BATCH:
                yield page
                page = UserPage()
        if page.size:
            yield page


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            problem = f"has more than {LONGEST_LINE} bytes; allowed is one user a line, as JSON"
            raise bad_input(f"line {number}", problem, "too_large")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, line


def _late_errors(page: UserPage, answer: UpdateAnswer) -> Iterator[BadLine]:
    for each in answer.errors:
        line = page.lines[each.index]
        said = each.message.removeprefix(f"users[{each.index}]")
        yield BadLine(line=line, code=each.code, message=f"line {line}{said}")


def write_page(
    work: Work, page: UserPage, *, update_only: bool
) -> tuple[UpdateAnswer, Collection[UUID]]:
    """Write the users of a page; return the answer, and the contacts that it is about."""
    return write_batch(work, UpdateCall(users=page.users, update_only=update_only))


def update_file(transact: Transact, path: Path, *, update_only: bool = False) -> UpdateFileAnswer:
    """Update the users of a file, a page a transaction.

    After an interruption the file can be done again: the same update changes nothing.
    """
    done = UpdatedFile()
    for page in user_pages(path):
        answer, _ = transact(partial(write_page, page=page, update_only=update_only))
        done.add(page, answer)
    return UpdateFileAnswer.model_validate(done.as_answer())

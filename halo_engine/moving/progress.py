"""What a move tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Copied:
    """A table arrived, or its part that had changed."""

    table: str
    rows: int
    seconds: float

    def __str__(self) -> str:
        pace = f", {self.rows / self.seconds:,.0f} a second" if self.seconds > 1 else ""
        return f"{self.table}: {self.rows:,} rows{pace}"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A round over what had changed meanwhile."""

    rows: int
    seconds: float

    def __str__(self) -> str:
        return f"caught up with {self.rows:,} changes in {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Compared:
    """Both copies of all tables were compared at one instant."""

    tables: int
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} rows of {self.tables} tables are the same in both"


@dataclass(frozen=True, slots=True)
class MailEnds:
    """Mail is stopped for a moment; so many emails are still under way."""

    under_way: int

    def __str__(self) -> str:
        return f"mail waits; {self.under_way:,} emails are under way"


@dataclass(frozen=True, slots=True)
class Switched:
    """The organisation lives in the other cell; its calls waited for ``pause``."""

    cell: str
    pause: timedelta

    def __str__(self) -> str:
        milliseconds = self.pause / timedelta(milliseconds=1)
        return f"lives in {self.cell} now; its calls waited {milliseconds:,.0f} ms"


@dataclass(frozen=True, slots=True)
class Cleared:
    """So many rows were deleted where nobody needs them any more."""

    cell: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} rows deleted in {self.cell}"


class Step(Protocol):
    """Anything above: its text is a line for people."""

    def __str__(self) -> str:
        """Return the line."""


Tell = Callable[[Step], object]

"""The results of a benchmark: rows of one table, each with a ratio and its target."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.ground import Ground
from benchmarks.sizes import Size


@dataclass(frozen=True, slots=True)
class Target:
    """The bound of a ratio; ``least`` for those that are to be large."""

    bound: float
    least: bool = False

    def holds(self, ratio: float) -> bool:
        """Return whether ``ratio`` is within the bound."""
        return ratio >= self.bound if self.least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``engine`` and ``against`` are in ``unit``; without a ``target`` the row is for the picture
    alone. ``size`` is how many of ``of`` the workload has.
    """

    workload: str
    what: str
    size: int
    of: str
    engine: float
    against: float
    compared_with: str
    ratio: float
    target: Target | None
    unit: str = "s"
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.target is None or self.target.holds(self.ratio)


Benchmark = Callable[[Ground, Size], Iterator[Row]]

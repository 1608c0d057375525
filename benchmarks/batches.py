"""Measure how large a batch should be: `python -m benchmarks.batches` prints one table.

A backlog of signals, then one of due rows, is handled in batches of each size. A larger batch costs
less for each row, but holds its locks for longer, until its transaction ends.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from benchmarks.ground import Crowd, Ground, ground
from benchmarks.workloads.reacting import Changes
from benchmarks.workloads.ticking import Due
from halo_engine.pipeline.advance import advance
from halo_engine.pipeline.react import react
from halo_engine.work import Work
from workers.stack.interruption import Interrupted, interruptible

SIZES: Final = (100, 500, 1_000, 2_000, 5_000, 10_000)
_SERIES: Final = 10


@dataclass(frozen=True, slots=True)
class Batches:
    """A backlog handled in batches of one size: how fast, and the longest transaction."""

    of: str
    size: int
    per_second: float
    longest_seconds: float


def measure(sandbox: Ground, backlog: int, sizes: Sequence[int]) -> Iterator[Batches]:
    """Handle so many signals, and so many due rows, in batches of each size."""
    changes = Changes(sandbox.crowd(backlog, "signals"), backlog, _SERIES)
    for size in sizes:
        changes.prepare()
        yield _worked_off(changes.crowd, "signals", backlog, size, react)
    sandbox.drop(changes.crowd)
    due = Due(sandbox.crowd(backlog, "due"), backlog, _SERIES)
    for size in sizes:
        due.prepare()
        yield _worked_off(due.crowd, "due rows", backlog, size, advance)
    sandbox.drop(due.crowd)


def _worked_off(
    crowd: Crowd, of: str, backlog: int, size: int, handle: Callable[[Work, int], object | None]
) -> Batches:
    def batch(work: Work) -> object | None:
        return handle(work, size)

    taken, unfinished = [], True
    while unfinished:
        began = time.perf_counter()
        unfinished = crowd.perform(batch) is not None
        taken.append(time.perf_counter() - began)
    return Batches(of, size, backlog / sum(taken), max(taken))


def drawn(measured: Iterator[Batches]) -> Table:
    """Return the table that is printed."""
    table = Table()
    for title in ("", "a batch", "a second", "longest transaction"):
        table.add_column(title, justify="right" if title else "left")
    for each in measured:
        table.add_row(
            each.of,
            f"{each.size:,}",
            f"{each.per_second:,.0f}",
            f"{each.longest_seconds * 1000:,.0f} ms",
        )
    return table


@click.command()
@click.option("--backlog", default=100_000, show_default=True)
def main(backlog: int) -> None:
    """Measure batches of all sizes, and print one table."""
    try:
        with interruptible(), ground() as sandbox:
            Console(width=100).print(drawn(measure(sandbox, backlog, SIZES)))
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None


if __name__ == "__main__":
    main()

"""Time sides that alternate, so that other load on the machine affects all of them."""

import gc
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Side:
    """One of those compared: ``prepare`` brings the tables to the start, only ``run`` is timed."""

    prepare: Callable[[], object]
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Alternation:
    """The time that each side took in each round, in seconds."""

    rounds: Sequence[Sequence[float]]

    def seconds(self, side: int) -> float:
        """Return the median of a side's rounds."""
        return median(taken[side] for taken in self.rounds)

    def ratio(self, side: int, to: int) -> float:
        """Return the median, over the rounds, of how much longer ``side`` took than ``to``."""
        return median(taken[side] / taken[to] for taken in self.rounds)


def alternate(sides: Sequence[Side], rounds: int) -> Alternation:
    """Run every side once in each round; each round begins with another side.

    A first round warms the caches and is not counted.
    """
    counted = [_round(sides, first=number) for number in range(rounds + 1)]
    return Alternation(counted[1:])


def peak_memory() -> float:
    """Return the most memory that this process has held, in MiB.

    ``getrusage`` would also count the memory of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    [kilobytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) / 1024


def _round(sides: Sequence[Side], *, first: int) -> list[float]:
    taken = [0.0] * len(sides)
    for turn in range(len(sides)):
        number = (first + turn) % len(sides)
        sides[number].prepare()
        taken[number] = seconds(sides[number].run)
    return taken


def seconds(run: Callable[[], object]) -> float:
    """Return the wall time that ``run`` takes; garbage is collected before, not meanwhile."""
    gc.collect()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began

"""What a check of a series is: each yields findings, which become warnings (contract §8)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from halo_engine.series.checking.surroundings import AnySeries, Surroundings


class SeriesFinding(NamedTuple):
    """A check's finding: where, what is wrong, and what to do."""

    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of warning: its code, what it means, and how it is found."""

    code: str
    words: str
    find: Callable[[AnySeries, Surroundings], Iterator[SeriesFinding]]

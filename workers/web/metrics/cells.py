"""Numbers of all cells: each cell's own, with its name as a label."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from halo_engine.cells.asking import ask_each

from .collected import InDatabase


class InCells(Collector):
    """Collects what ``further`` yields."""

    def __init__(self, further: Callable[[], Iterable[Metric]]) -> None:
        self._further = further

    def collect(self) -> Iterable[Metric]:
        """Yield what is measured."""
        return self._further()


@dataclass
class CellNumbers:
    """Reads the numbers of the ``databases`` of all cells, by name, side by side.

    ``directory_answers`` says whether the directory does.
    """

    databases: Callable[[], Mapping[str, sqlalchemy.Engine]]
    directory_answers: Callable[[], bool]
    _collectors: dict[str, InDatabase] = field(default_factory=dict)

    def __call__(self) -> Iterator[Metric]:
        """Yield what is measured; of a cell that does not answer, only that."""
        said = "Whether the directory of the cells answers."
        yield GaugeMetricFamily("halo_directory_up", said, value=float(self.directory_answers()))
        for name, database in self.databases().items():
            self._collectors.setdefault(name, InDatabase(database))
        asked = {name: partial(_all, each) for name, each in self._collectors.items()}
        families: dict[str, Metric] = {}
        up = families["halo_database_up"] = Metric(
            "halo_database_up", "Whether the database answers.", "gauge"
        )
        for cell, found in ask_each(asked).items():
            if found is None:
                up.add_sample(up.name, {"cell": cell}, 0.0)
            for each in found or ():
                family = families.setdefault(
                    each.name, Metric(each.name, each.documentation, each.type)
                )
                for sample in each.samples:
                    family.add_sample(sample.name, {**sample.labels, "cell": cell}, sample.value)
        yield from families.values()


def _all(collector: InDatabase) -> list[Metric]:
    return list(collector.collect())

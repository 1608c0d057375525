"""What the pages of one series share: its name, its tabs, and where they are (contract §17)."""

from dataclasses import dataclass
from typing import Any

from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.files.showing import ShownSeries

from ...page import Visit, segment_of


@dataclass(frozen=True, slots=True)
class OneSeries:
    """A series as it is saved, and the path of its pages."""

    shown: ShownSeries
    definition: SeriesDefinition

    @property
    def key(self) -> str:
        """The key of the series."""
        return self.shown.series

    @property
    def path(self) -> str:
        """The path of its rules; its other pages are below."""
        return path_of(self.key)

    def values(self, here: str) -> dict[str, Any]:
        """Return what the head of each of its pages shows; ``here`` is the end of its path."""
        return {
            "key": self.key,
            "name": self.definition.name or self.key,
            "status": self.shown.status.value,
            "path": self.path,
            "tabs": tabs_of(self.path),
            "tab": f"{self.path}{here}",
        }


def read_series(visit: Visit) -> OneSeries:
    """Return the series that the path names; raises 404 if there is none."""
    shown: ShownSeries = visit.call("series.show", series=visit.path("series"), checked=False)
    return OneSeries(shown, SeriesDefinition.model_validate(dict(shown.definition)))


def path_of(key: str) -> str:
    """Return the path of a series' page."""
    return f"/series/{segment_of(key)}"


def tabs_of(path: str) -> tuple[tuple[str, str], ...]:
    """Return the pages of a series, as its tabs show them."""
    return (
        ("Rules", path),
        ("Steps", f"{path}/steps"),
        ("Progress", f"{path}/progress"),
        ("Why", f"{path}/why"),
    )

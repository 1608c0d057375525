"""The sizes of the workloads: full, as the targets say, or small, a tenth of that and less."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Size:
    """The sizes of one run; ``crowds`` are numbers of contacts, the largest last."""

    name: str
    rounds: int
    crowds: tuple[int, ...]
    due: int
    calls: int
    changed: int
    watchers: tuple[int, ...]
    naive_sample: int
    backlog: int
    latency_seconds: int
    mails: int
    import_rows: tuple[int, int]
    serving_seconds: int
    serving_calls: int
    queued: int
    steady_windows: int
    steady_seconds: int

    @property
    def contacts(self) -> int:
        """The number of contacts of the largest organisation."""
        return self.crowds[-1]


SIZES: Final[Mapping[str, Size]] = {
    "full": Size(
        name="full",
        rounds=5,
        crowds=(10_000, 100_000, 1_000_000),
        due=100_000,
        calls=4_000,
        changed=10_000,
        watchers=(10, 100, 1_000),
        naive_sample=50,
        backlog=1_000_000,
        latency_seconds=20,
        mails=5_000,
        import_rows=(10_000, 1_000_000),
        serving_seconds=5,
        serving_calls=1_000_000,
        queued=5_000,
        steady_windows=60,
        steady_seconds=60,
    ),
    "small": Size(
        name="small",
        rounds=3,
        crowds=(10_000, 50_000),
        due=5_000,
        calls=800,
        changed=1_000,
        watchers=(10, 100),
        naive_sample=10,
        backlog=20_000,
        latency_seconds=4,
        mails=500,
        import_rows=(2_000, 10_000),
        serving_seconds=2,
        serving_calls=20_000,
        queued=500,
        steady_windows=8,
        steady_seconds=10,
    ),
}

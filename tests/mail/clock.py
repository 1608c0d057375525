"""A worker process's own clock, moved by the test."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds that pass when the test says so, and while somebody sleeps."""

    now: float = 1000.0

    def read(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds

"""What our queues in the broker are called."""

from collections.abc import Iterable
from typing import Final, NamedTuple

#: Where applications send their calls, whatever cells there are.
CALLS_QUEUE: Final = "halo.calls"


class Queues(NamedTuple):
    """The queues of an installation's one database, or of a cell."""

    tick: str
    signals: str
    calls: str

    @property
    def taken(self) -> tuple[str, ...]:
        """Those that its workers take from; workers of every cell take applications' calls."""
        return self if self.calls == CALLS_QUEUE else (*self, CALLS_QUEUE)


def queues_of(cell: str | None) -> Queues:
    """Return the queues of the cell of that name; of the one database without a name."""
    begin = "halo" if cell is None else f"halo.{cell}"
    return Queues(f"{begin}.tick", f"{begin}.signals", f"{begin}.calls")


#: Those of an installation with one database.
QUEUES: Final = queues_of(None)


def all_queues(cells: Iterable[str]) -> tuple[str, ...]:
    """Return all queues of an installation with these cells, or with one database."""
    of_cells = [name for cell in sorted(cells) for name in queues_of(cell)]
    return (*of_cells, CALLS_QUEUE) if of_cells else QUEUES

"""W6: the cost of a row and a signal, with a growing number of other contacts."""

from collections.abc import Iterator

from benchmarks.ground import Ground
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.reacting import Changes
from benchmarks.workloads.ticking import Due

_SERIES = 10


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare organisations of growing size with the same number of due rows and changes."""
    rows = size.crowds[0] // 2
    crowds = [ground.crowd(contacts, "w6") for contacts in size.crowds]
    due = [Due(crowd, rows, 1) for crowd in crowds]
    ticking = alternate([Side(each.prepare, each.engine) for each in due], size.rounds)
    for crowd in crowds:
        crowd.run("UPDATE automations SET status = 'completed'")
    changes = [Changes(crowd, rows, _SERIES) for crowd in crowds]
    reacting = alternate([Side(each.prepare, each.engine) for each in changes], size.rounds)
    for what, taken in (("due row", ticking), ("changed contact", reacting)):
        for place, contacts in enumerate(size.crowds[1:], start=1):
            yield Row(
                workload="W6",
                what=f"a {what} among {contacts:,}",
                size=contacts,
                of="contacts",
                engine=taken.seconds(place) / rows * 1e6,
                against=taken.seconds(0) / rows * 1e6,
                compared_with=f"among {size.crowds[0]:,}",
                ratio=taken.ratio(place, 0),
                target=Target(1.3) if contacts == size.contacts else None,
                unit="µs",
            )
    for crowd in crowds:
        ground.drop(crowd)

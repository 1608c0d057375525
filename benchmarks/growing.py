"""W6: what a row and a signal cost, whatever the number of contacts beside them."""

from collections.abc import Iterator

from benchmarks.ground import Ground
from benchmarks.measuring import Side, alternate
from benchmarks.reacting import Changes
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.ticking import Due

_SERIES = 10


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare organisations of growing size, with as many rows due, and as many changed."""
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

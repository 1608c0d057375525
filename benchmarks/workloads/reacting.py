"""W4 and W5: reacting to changed contacts, with a growing number of unaffected series."""

from collections.abc import Iterator
from typing import Any

from benchmarks import sql
from benchmarks.ground import SURGE, Crowd, Ground, segment
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.naive import handle_changes

_NAMING = 5
_COUNTRIES = 20
_COMPARED = 100


class Changes:
    """Contacts whose plan has changed, and series, ``naming`` of which have a filter on it."""

    def __init__(
        self, crowd: Crowd, changed: int, series: int, naming: int = _NAMING, **settings: Any
    ) -> None:
        self.crowd = crowd
        crowd.set_up(*sql.CHANGE_PLANS, changed=changed)
        crowd.rest("end_users", "bench_changed")
        for number in range(series):
            country = ("custom:country", "is", f"k{number % _COUNTRIES}")
            changing = "plan" if number < naming else "role"
            value = "pro" if number < naming else "owner"
            score = ("custom:level", "is", f"s{number}")
            definition = segment((changing, "is", value), country)
            if number >= naming:
                definition = segment((changing, "is", value), country, score)
            crowd.draft(f"s{number}", **definition, settings=settings)
            crowd.activate(f"s{number}")
        crowd.clear()

    def prepare(self) -> None:
        """Leave a signal for each changed contact; nobody is in any series."""
        self.crowd.clear()
        self.crowd.run(sql.SIGNAL_CHANGES)
        self.crowd.rest("signals")

    def engine(self) -> None:
        """Handle the signals."""
        self.crowd.settle()
        assert self.crowd.run("SELECT count(*) FROM automation_recipients") > [(0,)]


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """W4: compare more series, five of which name what changed, with ten."""
    crowds = [ground.crowd(size.crowds[-2], f"w4_{series}") for series in size.watchers]
    sides = [
        Changes(crowd, size.changed, series)
        for crowd, series in zip(crowds, size.watchers, strict=True)
    ]
    taken = alternate([Side(each.prepare, each.engine) for each in sides], size.rounds)
    for place, series in enumerate(size.watchers[1:], start=1):
        is_most = series == size.watchers[-1]
        yield Row(
            workload="W4",
            what=f"react with {series:,} series, {_NAMING} naming the trait",
            size=size.changed,
            of="changed contacts",
            engine=taken.seconds(place),
            against=taken.seconds(0),
            compared_with=f"with {size.watchers[0]} series",
            ratio=taken.ratio(place, 0),
            target=Target(1.3) if is_most else None,
            note=f"{size.changed / taken.seconds(place):,.0f} signals/s",
        )
    for crowd in crowds[1:]:
        ground.drop(crowd)
    yield _guarded(ground, sides[0], size)
    ground.drop(crowds[0])


def _guarded(ground: Ground, free: Changes, size: Size) -> Row:
    """Compare series with a surge, in which nobody is held, with as many without."""
    crowd = ground.crowd(size.crowds[-2], "w4_surges")
    guarded = Changes(crowd, size.changed, size.watchers[0], surge=SURGE)
    sides = [Side(each.prepare, each.engine) for each in (guarded, free)]
    taken = alternate(sides, size.rounds)
    ground.drop(crowd)
    return Row(
        workload="W4",
        what=f"react with {size.watchers[0]} series, each with a surge",
        size=size.changed,
        of="changed contacts",
        engine=taken.seconds(0),
        against=taken.seconds(1),
        compared_with="without",
        ratio=taken.ratio(0, 1),
        target=Target(1.03),
    )


def against_naive(ground: Ground, size: Size) -> Iterator[Row]:
    """W5: compare with a loop over contacts and series, on a sample of the contacts."""
    crowd = ground.crowd(size.crowds[-2], "w5")
    changes = Changes(crowd, size.changed, _COMPARED, naming=_COMPARED)
    sample = [
        id_
        for (id_,) in crowd.run(
            "SELECT id FROM bench_changed ORDER BY place LIMIT %(n)s", n=size.naive_sample
        )
    ]

    def loop() -> None:
        handle_changes(crowd.database, crowd.org_id, sample)

    taken = alternate(
        [Side(changes.prepare, changes.engine), Side(changes.prepare, loop)], size.rounds
    )
    faster = size.changed / len(sample)
    ground.drop(crowd)
    yield Row(
        workload="W5",
        what=f"react with {_COMPARED} series, all naming the trait",
        size=size.changed,
        of="changed contacts",
        engine=size.changed / taken.seconds(0),
        against=len(sample) / taken.seconds(1),
        compared_with="naive",
        ratio=taken.ratio(1, 0) * faster,
        target=Target(50, least=True),
        unit="/s",
        note=f"naive on {len(sample)} of them",
    )

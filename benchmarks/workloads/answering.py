"""W7: how many match, and why not more, over everybody."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks import sql
from benchmarks.ground import Crowd, Ground, segment
from benchmarks.measuring import Side, alternate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.activation import OWNERS_ON_PRO
from halo_engine.answers.diagnose.diagnose import diagnose
from halo_engine.answers.reports.preview import preview
from halo_engine.series.lifecycle import find_series
from halo_engine.work import Work

_FOUR = segment(
    ("role", "is", "owner"),
    ("plan", "is", "pro"),
    ("custom:country", "is", "k1"),
    ("email", "contains", "acme"),
)


_QUESTIONS: Sequence[tuple[str, str, Callable[[Work], object], str, Target]] = (
    (
        "preview: count and first page",
        "count(*)",
        lambda work: preview(work, find_series(work, "w7-two")),
        sql.COUNT,
        Target(1.2),
    ),
    (
        "diagnose, 4 filters",
        "count(*)",
        lambda work: diagnose(work, find_series(work, "w7-four")),
        sql.COUNT_FOUR,
        Target(2.5),
    ),
)


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with a bare ``count(*)`` that has the same WHERE."""
    for contacts in size.crowds:
        crowd = ground.crowd(contacts)
        crowd.draft("w7-two", **OWNERS_ON_PRO)
        crowd.draft("w7-four", **_FOUR)
        crowd.rest("end_users")
        for what, floor, question, counting, target in _QUESTIONS:
            sides = _asking(crowd, question), _counting(crowd, counting)
            taken = alternate(sides, size.rounds)
            yield Row(
                workload="W7",
                what=what,
                size=contacts,
                of="contacts",
                engine=taken.seconds(0),
                against=taken.seconds(1),
                compared_with=floor,
                ratio=taken.ratio(0, 1),
                target=target if contacts == size.contacts else None,
            )


def _asking(crowd: Crowd, question: Callable[[Work], object]) -> Side:
    return Side(_nothing, lambda: crowd.perform(question))


def _counting(crowd: Crowd, statement: str) -> Side:
    return Side(_nothing, lambda: crowd.run(statement))


def _nothing() -> None:
    """Reading leaves nothing to put back."""

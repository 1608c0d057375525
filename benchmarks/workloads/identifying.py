"""W3: identify on four connections at once, half of the users new, half of them changed."""

from collections.abc import Iterator

from benchmarks.ground import Ground
from benchmarks.measuring import Side, alternate
from benchmarks.processes.callers import (
    BARE,
    BATCH,
    BATCHED,
    CONNECTIONS,
    ENGINE,
    SEGMENT,
    Cost,
    Lanes,
)
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare with the bare upsert by the same connections; CPU per call is shown beside it."""
    crowd = ground.crowd(size.crowds[-2], "identify")
    with Lanes(crowd, size.calls // CONNECTIONS) as lanes:
        taken = alternate(
            [Side(lanes.prepare, lanes.engine), Side(lanes.prepare, lanes.floor)], size.rounds
        )
        calls = lanes.calls * CONNECTIONS
        ours, bare = lanes.per_call(ENGINE), lanes.per_call(BARE)
        yield Row(
            workload="W3",
            what=f"identify on {CONNECTIONS} connections",
            size=crowd.contacts,
            of="contacts",
            engine=calls / taken.seconds(0),
            against=calls / taken.seconds(1),
            compared_with="bare upsert",
            ratio=taken.ratio(1, 0),
            target=Target(0.45, least=True),
            unit="/s",
            note=f"CPU a call: {_shown(ours)}; bare {_shown(bare)}",
            details={"calls": calls, "rounds": taken.rounds},
        )
    ground.drop(crowd)


def _shown(cost: Cost) -> str:
    return f"{cost.caller * 1e3:.2f} + {cost.database * 1e3:.2f} ms"


def batched(ground: Ground, size: Size) -> Iterator[Row]:
    """W14: mixed messages by `halo.batch` and as Segment's clients send them, compared with bare
    upserts, a message a row.
    """
    crowd = ground.crowd(size.crowds[-2], "batched")
    with Lanes(crowd, size.calls // CONNECTIONS // BATCHED * BATCHED) as lanes:
        sides = (lanes.batches, lanes.messages, lanes.floor)
        taken = alternate([Side(lanes.prepare, side) for side in sides], size.rounds)
        calls = lanes.calls * CONNECTIONS
        kinds = ((BATCH, "mixed messages"), (SEGMENT, "messages of Segment's clients"))
        for side, (kind, what) in enumerate(kinds):
            yield Row(
                workload="W14",
                what=f"batches of {BATCHED} {what}",
                size=calls,
                of="messages",
                engine=calls / taken.seconds(side),
                against=calls / taken.seconds(2),
                compared_with="bare upserts",
                ratio=taken.ratio(2, side),
                target=Target(2.5, least=True),
                unit="/s",
                note=f"CPU a message: {_shown(lanes.per_call(kind))}",
                details={"rounds": taken.rounds},
            )
    ground.drop(crowd)

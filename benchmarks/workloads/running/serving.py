"""W13 and W15: identifies over HTTP, by many callers at once and by one on an idle server."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.ground import Crowd, Ground
from benchmarks.processes.callers import CONNECTIONS, Lanes
from benchmarks.processes.http_load import paced, resident_bytes, saturate
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from halo_engine.contacts.identifying.identify import IdentifyCall, identify, identifying
from halo_engine.work import OrgRef, Work
from workers.stack.folders import throwaway_folder
from workers.stack.processes import stack_environment, start_web
from workers.stack.servers import Servers

CALLERS: Final = 64
ORGANIZATIONS: Final = 50
_LANE_CALLS: Final = 500
#: Memory may grow by so much after the first calls.
_GROWTH: Final = 16 * 1024 * 1024

_MORE_ORGANIZATIONS: Final = """
INSERT INTO organizations (key, name, widget_key, reevaluate_cron, created_at, reevaluated_at)
SELECT 'bench-' || i, 'bench', 'bench-' || i, '0 0 1 1 *', now(), now()
FROM generate_series(2, %(most)s) i
ON CONFLICT DO NOTHING
"""


@contextmanager
def _serving(ground: Ground, crowd: Crowd) -> Iterator[tuple[str, int]]:
    """Run a web process as it is shipped; yield its URL and its process id."""
    servers = Servers(crowd.url, ground.servers.broker_url)
    with throwaway_folder("bench-web") as folder:
        environment = stack_environment(servers, web_bind="127.0.0.1:0")
        child, url = start_web(folder, environment, log=Path(folder) / "web.log")
        try:
            yield url, child.process.pid
        finally:
            child.stop()


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """W13: compare with bare upserts on four connections; 50 organisations with one."""
    crowd = ground.crowd(size.crowds[-2], "serving")
    crowd.run(_MORE_ORGANIZATIONS, most=ORGANIZATIONS)
    many = ["bench", *(f"bench-{number}" for number in range(2, ORGANIZATIONS + 1))]
    with _serving(ground, crowd) as (url, _), Lanes(crowd, _LANE_CALLS) as lanes:

        def floor() -> float:
            began = time.perf_counter()
            lanes.floor()
            return CONNECTIONS * _LANE_CALLS / (time.perf_counter() - began)

        def over_http(keys: Sequence[str]) -> float:
            return saturate(url, keys, connections=CALLERS, seconds=size.serving_seconds).per_second

        sides = (partial(over_http, ["bench"]), floor, partial(over_http, many))
        one, bare, fifty = alternated(sides, size.rounds, lanes.prepare)
    ground.drop(crowd)
    row = partial(Row, workload="W13", unit="/s", of="callers", size=CALLERS)
    yield row(
        what="identifies over HTTP, one organisation",
        engine=median(one),
        against=median(bare),
        compared_with="bare upserts, 4 connections",
        ratio=ratio(one, bare),
        target=Target(1.3, least=True),
    )
    yield row(
        what=f"identifies over HTTP, {ORGANIZATIONS} organisations",
        engine=median(fifty),
        against=median(one),
        compared_with="one organisation",
        ratio=ratio(fifty, one),
        target=Target(0.8, least=True),
    )


def alone(ground: Ground, size: Size) -> Iterator[Row]:
    """W15: one call at a time, calls at half of what saturates, and memory."""
    crowd = ground.crowd(size.crowds[-2], "alone")
    with _serving(ground, crowd) as (url, pid):

        def over_http() -> float:
            load = paced(url, ["bench"], connections=1, seconds=2, per_second=None)
            return median(load.seconds)

        def by_door() -> float:
            return median(_door_seconds(crowd))

        over_http()
        http, door = alternated((over_http, by_door), size.rounds, crowd.clear)
        row = partial(Row, workload="W15", size=1)
        yield row(
            what="one call over HTTP at a time, p50",
            of="callers",
            engine=median(http),
            against=median(door),
            compared_with="the door without HTTP",
            ratio=ratio(http, door),
            target=Target(1.6),
        )
        seconds = size.serving_seconds
        most = saturate(url, ["bench"], connections=CALLERS, seconds=seconds).per_second
        half = paced(url, ["bench"], connections=CALLERS, seconds=seconds, per_second=most / 2)
        percentiles = quantiles(half.seconds, n=100)
        yield row(
            what=f"at {most / 2:.0f} calls a second, p99",
            of="callers",
            engine=percentiles[98],
            against=percentiles[49],
            compared_with="their p50",
            ratio=percentiles[98] / percentiles[49],
            target=Target(6),
        )
        yield _memory(row, url, pid, size, most)
    ground.drop(crowd)


def _memory(row: Callable[..., Row], url: str, pid: int, size: Size, most: float) -> Row:
    before = resident_bytes(pid)
    seconds = max(1, round(size.serving_calls / most))
    calls = seconds * saturate(url, ["bench"], connections=CALLERS, seconds=seconds).per_second
    saturate(url, ["bench"], connections=10 * CALLERS, seconds=size.serving_seconds)
    after = resident_bytes(pid)
    return row(
        what=f"resident memory after {calls:,.0f} calls",
        of="processes",
        engine=after / 2**20,
        against=before / 2**20,
        compared_with="after the first thousands",
        ratio=after / before,
        target=Target(1 + _GROWTH / before),
        unit="MiB",
    )


def _door_seconds(crowd: Crowd) -> list[float]:
    organization, taken = OrgRef(widget_key="bench"), []
    for number in range(500):
        asked = IdentifyCall(
            user_id=f"u{1 + number}", traits={"plan": f"plan {time.perf_counter()}"}
        )
        began = time.perf_counter()
        crowd.engine.perform(
            organization, partial(_identify, asked), in_one_trip=partial(identifying, asked)
        )
        taken.append(time.perf_counter() - began)
    return taken


def _identify(call: IdentifyCall, work: Work) -> object:
    return identify(work, call)


def alternated(
    sides: Sequence[Callable[[], float]], rounds: int, prepare: Callable[[], object]
) -> list[list[float]]:
    """Measure every side once a round, each round beginning with another one; the first round
    warms up.
    """
    found: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds + 1):
        for place in range(len(sides)):
            side = (place + turn) % len(sides)
            prepare()
            measured = sides[side]()
            if turn:
                found[side].append(measured)
    return found


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the median, over the rounds, of how many times the other ``one`` is."""
    return median(mine / theirs for mine, theirs in zip(one, other, strict=True))

"""W2 measures what it says: each row is done once, also by two workers."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.ground import Ground
from benchmarks.sizes import SIZES
from benchmarks.workloads.ticking import benchmark
from workers.stack.servers import Servers

_TINY = replace(SIZES["small"], name="tiny", rounds=1, due=60)


@pytest.mark.torture
def test_every_side_does_every_row_once(
    servers: Servers, administrate: Callable[[str], None]
) -> None:
    """The workload runs; within it the rows are counted, and what each of two workers did."""
    with ExitStack() as stack:
        rows = list(benchmark(Ground(servers, stack), _TINY))
    administrate("DROP DATABASE template_60")
    assert [(row.what, row.size) for row in rows if row.target] == [
        ("tick", 60),
        ("tick, 100 series", 60),
        ("tick, two workers", 60),
        ("tick, two caps and contacts' zones", 60),
    ]
    [shares] = [row.details["shares"] for row in rows if row.what == "tick, two workers"]
    assert sum(shares) == 60

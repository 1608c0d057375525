"""W9 measures what it says: every mail goes out, by the engine and by the bare loop."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.ground import Ground
from benchmarks.newsletter import PAGE
from benchmarks.sizes import SIZES
from benchmarks.workloads.mailing import benchmark
from workers.stack.servers import Servers

_TINY = replace(SIZES["small"], name="tiny", rounds=1, crowds=(20,), mails=20)


@pytest.mark.torture
def test_both_sides_send_the_same_mails(
    servers: Servers, administrate: Callable[[str], None]
) -> None:
    """The workload runs; within it the server's count of each side's messages is checked."""
    with ExitStack() as stack:
        texts, pages, limited, composed = benchmark(Ground(servers, stack), _TINY)
    administrate("DROP DATABASE template_20")
    for row in (texts, pages, limited, composed):
        assert (row.workload, row.size, row.unit) == ("W9", 20, "/s")
        assert row.engine > 0
        assert row.ratio > 0
    assert pages.details["octets"] > len(PAGE.encode()) > 2 * texts.details["octets"]

"""The workloads by name, in the order in which they run."""

from collections.abc import Mapping
from typing import Final

from benchmarks.rows import Benchmark
from benchmarks.workloads import (
    activation,
    answering,
    growing,
    identifying,
    mailing,
    memory,
    planning,
    reacting,
    reevaluating,
    ticking,
)
from benchmarks.workloads.running import cells, latency, queueing, serving, steady

WORKLOADS: Final[Mapping[str, Benchmark]] = {
    "W1": activation.benchmark,
    "W2": ticking.benchmark,
    "W3": identifying.benchmark,
    "W4": reacting.benchmark,
    "W5": reacting.against_naive,
    "W6": growing.benchmark,
    "W7": answering.benchmark,
    "W8": latency.benchmark,
    "W9": mailing.benchmark,
    "W10": memory.benchmark,
    "W11": reevaluating.benchmark,
    "W12": ticking.fairness,
    "W13": serving.benchmark,
    "W14": identifying.batched,
    "W15": serving.alone,
    "W16": planning.benchmark,
    "W17": queueing.benchmark,
    "W18": reevaluating.narrow,
    "W19": steady.benchmark,
    "W20": cells.benchmark,
}

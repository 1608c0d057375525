"""The command: `python -m benchmarks [--size small] [W1 W2 …]`; what `make bench` runs."""

import time
from collections.abc import Sequence

import click
from rich.console import Console

from benchmarks import picture, results, table
from benchmarks.ground import ground
from benchmarks.sizes import SIZES
from benchmarks.workloads.registry import WORKLOADS
from workers.stack.interruption import Interrupted, interruptible

_console = Console(width=150)


@click.command()
@click.option("--size", type=click.Choice(list(SIZES)), default="full", show_default=True)
@click.argument("workloads", nargs=-1, type=click.Choice(list(WORKLOADS)))
def main(size: str, workloads: Sequence[str]) -> None:
    """Run the WORKLOADS (all if none is named), print the table, and store the results."""
    chosen = [each for each in WORKLOADS if each in (workloads or WORKLOADS)]
    try:
        with interruptible(), ground() as sandbox:
            for name in chosen:
                began = time.monotonic()
                rows = list(WORKLOADS[name](sandbox, SIZES[size]))
                taken = time.monotonic() - began
                results.keep(size, name, rows, taken)
                _console.print(f"{name}: {taken:.0f} s", style="dim")
    except Interrupted as interrupted:
        raise SystemExit(interrupted.exit_status) from None
    _console.print(table.drawn(results.kept_rows(size, chosen)))
    picture.draw(results.kept_rows(size, WORKLOADS), results.FOLDER / f"{size}.svg")


if __name__ == "__main__":
    main()

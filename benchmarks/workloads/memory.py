"""W10: the most memory that a process holds, however many contacts there are.

Each measurement is a process of its own:
`python -m benchmarks.workloads.memory activate|import URL [FILE]`.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import click

from benchmarks.ground import ORG, Ground
from benchmarks.measuring import peak_memory
from benchmarks.rows import Row, Target
from benchmarks.sizes import Size
from benchmarks.workloads.activation import OWNERS_ON_PRO
from halo_engine.contacts.csv_import.resume import FileOptions, import_file
from halo_engine.database import create_engine
from halo_engine.engine import Engine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.series.lifecycle import activate
from halo_engine.work import OrgRef, Work
from workers.stack.folders import PROJECT, throwaway_folder

_HOW: Final = FileOptions(
    mapping={"ID": "external_id", "Email": "email", "Name": "name", "Plan": "plan"}
)
_ALLOWED_MIB: Final = 64.0


def benchmark(ground: Ground, size: Size) -> Iterator[Row]:
    """Compare the peaks of an activation and of an import with those at the smallest size."""
    peaks = []
    for contacts in (size.crowds[0], size.contacts):
        crowd = ground.crowd(contacts, "memory")
        crowd.draft("w10", **OWNERS_ON_PRO)
        peaks.append(_peak("activate", crowd.url))
        ground.drop(crowd)
    yield _row("activate (W1)", size.contacts, "contacts", peaks)
    peaks = []
    with throwaway_folder("bench-import") as folder:
        for rows in size.import_rows:
            crowd = ground.crowd(size.crowds[0], f"import_{rows}")
            file = folder / f"{rows}.csv"
            _write(file, rows)
            peaks.append(_peak("import", crowd.url, file))
            ground.drop(crowd)
    yield _row("CSV import", size.import_rows[1], "rows", peaks)


def _row(what: str, size: int, of: str, peaks: list[float]) -> Row:
    less, more = peaks
    return Row(
        workload="W10",
        what=f"peak memory: {what}",
        size=size,
        of=of,
        engine=more,
        against=less,
        compared_with="at the smallest size; MiB more",
        ratio=more - less,
        target=Target(_ALLOWED_MIB),
        unit="MiB",
    )


def _peak(what: str, url: str, file: Path | None = None) -> float:
    module = "benchmarks.workloads.memory"
    command = [sys.executable, "-m", module, what, url, *([str(file)] if file else [])]
    run = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    return float(run.stdout)


def _write(file: Path, rows: int) -> None:
    with file.open("w") as out:
        out.write("ID,Email,Name,Plan\n")
        for number in range(rows):
            out.write(f"i{number},i{number}@acme.example,User {number},pro\n")


@click.command()
@click.argument("what", type=click.Choice(["activate", "import"]))
@click.argument("url")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def main(what: str, url: str, file: Path | None) -> None:
    """Do it, and print the peak of this process in MiB."""
    post = PostOffice(MemoryTransport(), Sender("Halo", "halo@halo.example"))
    engine = Engine(create_engine(url, application_name="halo-bench"), post)
    org = OrgRef(key=ORG)
    if what == "import":
        assert file is not None
        import_file(lambda action: engine.perform(org, action), file, _HOW)
    else:
        engine.perform(org, lambda work: activate(work, "w10", "bench"))
        for _ in engine.settle(engine.ask(org, _id_of)):
            pass
    click.echo(peak_memory())


def _id_of(work: Work) -> UUID:
    return work.org_id


if __name__ == "__main__":
    main()

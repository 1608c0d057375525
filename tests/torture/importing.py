"""A process that imports a file, to be killed: `python -m tests.torture.importing URL ORG FILE`.

At its end it prints the answer, and the most memory that it held, in MiB.
"""

import json
import sys
from pathlib import Path

import click

from benchmarks.measuring import peak_memory
from halo_engine.contacts.csv_import.resume import FileOptions, import_file
from halo_engine.database import create_engine
from halo_engine.work import OrgRef
from tests.contacts.sandbox import committing

MAPPING = {
    "ID": "external_id",
    "Email": "email",
    "Name": "name",
    "Plan": "plan",
    "Since": "signed_up_at",
}


def main(url: str, org: str, path: str) -> None:
    """Import the file into the organisation of that key."""
    transact = committing(create_engine(url), OrgRef(key=org))
    answer = import_file(transact, Path(path), FileOptions(mapping=MAPPING))
    click.echo(json.dumps({**answer.model_dump(mode="json"), "peak": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])

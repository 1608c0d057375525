"""`halo schema`: JSON Schemas of series files, scenarios and calls, for editors and clients.

They are generated from the models that validate the same data, and kept in ``docs/schemas``.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import click

from halo_engine.cli.schemas.json_schema import DIALECT, definitions_of, series_schema
from halo_engine.cli.schemas.scenario_schema import scenario_schema
from halo_engine.domain.errors import Refusal, shown
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.table import DOORS

SERIES: Final = "series"
SCENARIO: Final = "scenario"


@cache
def schemas() -> Mapping[str, Mapping[str, Any]]:
    """Return every schema by name: ``series``, ``scenario``, and the doors' calls.

    Tasks also take what names the organisation: ``widget_key`` or ``org``.
    """
    return {
        SERIES: series_schema(),
        SCENARIO: scenario_schema(),
        **{name: _call(door) for name, door in DOORS.items()},
    }


def _call(door: AnyDoor) -> dict[str, Any]:
    definitions = definitions_of(door.call)
    described = definitions.pop(door.call.__name__)
    rest = {"$defs": definitions} if definitions else {}
    return {"$schema": DIALECT, **described, "title": door.task, **rest}


def write_schemas(folder: Path) -> None:
    """Write each schema into a file ``NAME.schema.json`` of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.schema.json").write_text(as_text(schema), encoding="utf-8")


def as_text(schema: Mapping[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@click.command(name="schema")
@click.argument("name", default=SERIES)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path),
    help="Write every schema into this folder instead.",
)
def schema_command(name: str, folder: Path | None) -> None:
    """Print the JSON Schema of series files, scenarios or calls.

    NAME is `series` (the default), `scenario`, or the name of a task without `halo.`: identify,
    track, users.update, …
    """
    if folder is not None:
        write_schemas(folder)
        click.echo(f"{len(schemas())} schemas are in {folder}")
        return
    known = schemas()
    if name not in known:
        problem = f"There is no schema {shown(name)}; allowed are {', '.join(known)}."
        raise Refusal(404, "unknown_schema", problem)
    click.echo(as_text(known[name]), nl=False)

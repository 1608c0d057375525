"""`halo schema`, and the schemas that are kept beside the documentation."""

import json
from pathlib import Path

from halo_engine.cli.groups import series
from halo_engine.cli.schemas.schemas import as_text, schemas
from halo_engine.doors.table import DOORS
from halo_engine.rehearsal.actions.table import ACTIONS
from halo_engine.rehearsal.expected import Expectation
from tests.cli.console import Console
from workers.app import app

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_schemas_are_up_to_date() -> None:
    """Each file in docs/schemas is what `halo schema --write docs/schemas` would write."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    made = {f"{name}.schema.json": as_text(schema) for name, schema in schemas().items()}
    assert kept == made, "run `halo schema --write docs/schemas`"


def test_every_door_has_a_schema() -> None:
    """A schema is named after its door, and has the fields of the door's call."""
    for name, door in DOORS.items():
        schema = schemas()[name]
        assert schema["title"] == f"halo.{name}"
        assert set(schema["properties"]) == set(door.call.model_fields)


def test_entries_that_are_read_one_by_one_are_described() -> None:
    """A batch's schema says what its entries are, and how many it takes."""
    users = schemas()["users.update"]["properties"]["users"]
    assert (users["items"], users["maxItems"]) == ({"$ref": "#/$defs/UpdatedUser"}, 500)
    definitions = schemas()["series.apply"]["properties"]["series"]
    assert definitions["additionalProperties"] == {"$ref": "#/$defs/SeriesDefinition"}


def test_every_command_about_a_series_is_a_task_too() -> None:
    """Tasks offer what commands do, under the same names; what only pages need is a task alone."""
    app.loader.import_default_modules()
    named = {name.removeprefix("halo.series.") for name in app.tasks if ".series." in name}
    of_an_organisation = series.commands.keys() - {"example"}
    assert named == {
        *(name.replace("-", "_") for name in of_an_organisation),
        "explain",
        "failures",
        "foresee",
        "runs",
        "recipients",
        "bucket",
        "find",
        "count",
        "save",
        "delete",
    }


def test_series_schema_describes_what_files_may_say() -> None:
    """Durations, times of day, exit rules and flat filters have their written forms."""
    definitions = schemas()["series"]["$defs"]
    step = definitions["StepDefinition"]
    assert step["properties"]["delay"]["anyOf"][1]["pattern"] == "^([0-9]{1,10}[dhms]|0)$"
    assert step["oneOf"] == [{"required": ["email"]}, {"required": ["condition"]}]
    assert definitions["SendWindow"]["properties"]["from"]["type"] == "string"
    assert "suppressed" not in definitions["Settings"]["properties"]["exit_rules"]["items"]["enum"]
    flat = {"type": "array", "items": {"$ref": "#/$defs/Filter"}}
    assert flat in definitions["SeriesDefinition"]["properties"]["audience_filters"]["anyOf"]


def test_scenario_schema_knows_every_action() -> None:
    """The schema has the actions of `halo test`, `expect` and `error`."""
    scenario = schemas()["scenario"]
    known = set(scenario["$defs"]["Entry"]["properties"])
    assert known == {"at", "repeat", "expect", "error", *ACTIONS}
    assert set(scenario["$defs"]["Expectation"]["properties"]) == set(Expectation.model_fields)
    assert {"type": "string"} in scenario["properties"]["series"]["anyOf"]


def test_schema_is_printed(bare: Console) -> None:
    """Series files' by default, else a door's; no database is needed."""
    assert json.loads(bare("schema")) == schemas()["series"]
    assert json.loads(bare("schema", "track")) == schemas()["track"]
    said = bare("schema", "dance", status=1)
    assert said.startswith("Error: There is no schema ‘dance’; allowed are series, scenario, ide")
    assert said.endswith(f"{[*schemas()][-1]}.\n")


def test_schemas_are_written(bare: Console, tmp_path: Path) -> None:
    """`--write` puts all of them into a folder."""
    printed = bare("schema", "--write", str(tmp_path / "schemas"))
    assert printed == f"{len(schemas())} schemas are in {tmp_path / 'schemas'}\n"
    names = sorted(path.name for path in (tmp_path / "schemas").iterdir())
    assert names == sorted(path.name for path in FOLDER.iterdir())

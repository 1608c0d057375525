"""`halo schema`, and the schemas that are kept beside the documentation."""

import json
from pathlib import Path

from halo_engine.cli.schemas import DOORS, as_text, schemas
from halo_engine.cli.series import series
from halo_engine.rehearsal.actions import ACTIONS
from halo_engine.rehearsal.scenario import Expectation
from tests.cli.console import Console
from workers.app import app
from workers.tasks import doors

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_schemas_are_up_to_date() -> None:
    """Each file in docs/schemas is what `halo schema --write docs/schemas` would write."""
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    made = {f"{name}.schema.json": as_text(schema) for name, schema in schemas().items()}
    assert kept == made, "run `halo schema --write docs/schemas`"


def test_every_door_has_a_schema() -> None:
    """Schemas are named after the doors' tasks."""
    calls = {name: door.call for name, door in doors.DOORS.items()}
    assert {f"halo.{name}": call for name, call in DOORS.items()} == calls


def test_every_command_about_a_series_is_a_task_too() -> None:
    """Tasks offer what commands do, under the same names."""
    app.loader.import_default_modules()
    named = {name.removeprefix("halo.series.") for name in app.tasks if ".series." in name}
    of_an_organisation = series.commands.keys() - {"example"}
    assert named == {
        *(name.replace("-", "_") for name in of_an_organisation),
        "explain",
        "failures",
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
    """It has the actions of `halo test`, `expect` and `error`."""
    scenario = schemas()["scenario"]
    known = set(scenario["$defs"]["Entry"]["properties"])
    assert known == {"at", "repeat", "expect", "error", *ACTIONS}
    assert set(scenario["$defs"]["Expectation"]["properties"]) == set(Expectation.model_fields)
    assert {"type": "string"} in scenario["properties"]["series"]["anyOf"]


def test_schema_is_printed(bare: Console) -> None:
    """Series files' by default, else a door's; no database is needed."""
    assert json.loads(bare("schema")) == schemas()["series"]
    assert json.loads(bare("schema", "track")) == schemas()["track"]
    assert bare("schema", "dance", status=1) == "Error: There is no schema ‘dance’.\n"


def test_schemas_are_written(bare: Console, tmp_path: Path) -> None:
    """`--write` puts all of them into a folder."""
    printed = bare("schema", "--write", str(tmp_path / "schemas"))
    assert printed == f"{len(schemas())} schemas are in {tmp_path / 'schemas'}\n"
    names = sorted(path.name for path in (tmp_path / "schemas").iterdir())
    assert names == sorted(path.name for path in FOLDER.iterdir())

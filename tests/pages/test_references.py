"""The reference pages are made of what the code declares, and leave nothing unexplained."""

from typing import Any

import pytest

from halo_engine.cli.schemas.json_schema import series_schema
from halo_engine.cli.schemas.scenario_schema import scenario_schema
from halo_engine.settings import Settings
from manual.pages import outdated
from manual.shapes import Shape


def test_the_references_say_what_the_code_declares() -> None:
    """Each stored reference page equals what `make docs` makes now."""
    assert outdated() == [], "run `make docs`"


def _definition(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {**schema["$defs"][name], "$defs": schema["$defs"]}


@pytest.mark.parametrize(
    "schema",
    [
        Settings.model_json_schema(),
        _definition(series_schema(), "SeriesDefinition"),
        _definition(scenario_schema(), "Expectation"),
    ],
    ids=["settings", "series", "expect"],
)
def test_every_key_says_what_it_is_for(schema: dict[str, Any]) -> None:
    """A setting or a key is declared with its meaning."""
    shown = ("Filter", "EventFilter", "ExpectedDiagnosis", "ExpectedMail")
    keys = Shape(schema, dict.fromkeys(shown, "has a page or a table of its own"))
    assert [key.path for key in keys if not key.meaning] == []

"""Makes the page of scenario files from their schema."""

from typing import Any, Final

from halo_engine.cli.schemas.scenario_schema import scenario_schema
from manual.markdown import code, table
from manual.shapes import Shape

_INTRODUCTION: Final = """\
# Scenario files

What `halo test` plays. [Testing a series](../guides/testing.md) begins with an example. Contacts
are named by their user ID, or by their email if they have none.

"""
_TIMELINE: Final = """
## Actions

Each entry of `timeline` is one action, or one `expect`. After an action everything that it causes
is done at once, at the clock's instant. `error` beside an action says that it must be refused.

"""
_EXPECTATIONS: Final = """
## What expect can hold

Only what is named is checked.

"""


def page() -> str:
    """Return the page: the keys of a scenario, the actions, and what can be expected."""
    schema = scenario_schema()
    definitions = schema["$defs"]
    named = {"Entry": "an action, or `expect`", "SeriesDefinition": "a [series](series.md)"}
    actions = {
        name: _described(each, definitions)
        for name, each in definitions["Entry"]["properties"].items()
    }
    return (
        _INTRODUCTION
        + _table(Shape(schema, named))
        + _TIMELINE
        + _table(Shape({"properties": actions, "$defs": definitions}, _named(definitions)))
        + _EXPECTATIONS
        + _table(Shape({**definitions["Expectation"], "$defs": definitions}))
    )


def _named(definitions: dict[str, Any]) -> dict[str, str]:
    """Return how the table of actions shows each call: by its keys."""
    return {
        name: f"an object: {', '.join(map(code, each['properties']))}"
        for name, each in definitions.items()
        if "properties" in each and name != "SeriesDefinition"
    }


def _described(action: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return an action with its description, without the keys of its value."""
    _, _, door = action.get("$ref", "").rpartition("/")
    means = {"description": definitions[door]["description"]} if door else {}
    return {key: value for key, value in {**action, **means}.items() if key != "properties"}


def _table(shape: Shape) -> str:
    rows = [(code(key.path), key.holds, key.otherwise, key.meaning) for key in shape]
    return table(("key", "holds", "default", ""), rows)

"""JSON Schemas generated from the models that validate the same data."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaMode,
    JsonSchemaValue,
    models_json_schema,
)
from pydantic_core import core_schema

from halo_engine.domain.series.definition import KEY_PATTERN, SeriesDefinition
from halo_engine.domain.series.exits import EXIT_RULES
from halo_engine.domain.series.settings import FILTER_SETTINGS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^([0-9]{1,10}[dhms]|0)$"},
    ]
}
_TIME_OF_DAY: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}


def _groups_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of AND groups joined by OR, or of one group written flat."""
    return {
        "anyOf": [
            {"type": "array", "items": {"type": "array", "items": item, "minItems": 1}},
            {"type": "array", "items": item},
        ]
    }


#: Groups of filters on contacts, and of filters on the event at hand.
GROUPS: Final = _groups_of({"$ref": "#/$defs/Filter"})
ENTRY_EVENT_GROUPS: Final = _groups_of({"$ref": "#/$defs/EventFilter"})
EVENT_GROUPS: Final = _groups_of(
    {"anyOf": [{"$ref": "#/$defs/EventFilter"}, {"$ref": "#/$defs/SameProperty"}]}
)


#: Definitions by their keys.
SERIES_BY_KEY: Final = {
    "type": "object",
    "propertyNames": {"pattern": KEY_PATTERN},
    "additionalProperties": {"$ref": "#/$defs/SeriesDefinition"},
}


class _Written(GenerateJsonSchema):
    """Describes durations and times of day in their written form."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        return dict(_DURATION)

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:  # noqa: ARG002
        return dict(_TIME_OF_DAY)


def series_schema() -> dict[str, Any]:
    """Return the schema of series files."""
    return {
        "$schema": DIALECT,
        "title": "Series file",
        "description": "What `halo series apply` reads: definitions of series by their keys.",
        "type": "object",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {"series": SERIES_BY_KEY},
        "$defs": series_definitions(),
    }


def series_definitions() -> dict[str, Any]:
    """Return the parts of a series by name, in the forms that files allow."""
    return definitions_of(SeriesDefinition)


def _widen_series(definitions: dict[str, Any]) -> None:
    """Give a series' parts the forms that files allow."""
    series = definitions["SeriesDefinition"]["properties"]
    settings, step = definitions["Settings"]["properties"], definitions["StepDefinition"]
    filters = [(series, "audience_filters"), *((settings, name) for name in FILTER_SETTINGS)]
    for keys, name in filters:
        keys[name] = {**GROUPS, "description": keys[name]["description"]}
    for keys, name, groups in (
        (settings, "entry_event_filters", ENTRY_EVENT_GROUPS),
        (settings, "exit_event_filters", EVENT_GROUPS),
        (definitions["Condition"]["properties"], "filters", EVENT_GROUPS),
    ):
        keys[name] = {**groups, "description": keys[name]["description"]}
    series["settings"].pop("default")
    # Rules that are always on cannot be listed.
    del definitions["ExitReason"]
    settings["exit_rules"] = {
        "type": "array",
        "description": settings["exit_rules"]["description"],
        "items": {"enum": [str(rule.key) for rule in EXIT_RULES if rule.is_listed]},
    }
    step["oneOf"] = [{"required": ["email"]}, {"required": ["condition"]}]


def definitions_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of the models and of the models within them, by name."""
    _, described = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_Written
    )
    definitions: dict[str, Any] = described["$defs"]
    _tidy(definitions)
    return definitions


def schemas_of(
    taken: Mapping[str, Any], answered: Mapping[str, Any], ref_template: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the schemas of types in calls, of types in answers, and of the models that these refer
    to, each by name.
    """
    modes: dict[JsonSchemaMode, Mapping[str, Any]] = {
        "validation": taken,
        "serialization": answered,
    }
    inputs = [
        (name, mode, TypeAdapter(type_))
        for mode, types in modes.items()
        for name, type_ in types.items()
    ]
    found, described = TypeAdapter.json_schemas(
        inputs, ref_template=ref_template, schema_generator=_Written
    )
    definitions: dict[str, Any] = described.get("$defs", {})
    _tidy(definitions)
    by_mode = [{name: found[name, mode] for name in types} for mode, types in modes.items()]
    return by_mode[0], by_mode[1], definitions


def _tidy(definitions: dict[str, Any]) -> None:
    """Leave out titles, cut docstrings to their first paragraph, widen series' parts."""
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = _said(definition["description"])
        for field in definition.get("properties", {}).values():
            # Pydantic's title only repeats the name.
            field.pop("title", None)
    if SeriesDefinition.__name__ in definitions:
        _widen_series(definitions)


def _said(docstring: str) -> str:
    """Return the first paragraph of a docstring, without the reference to the contract."""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.sub(r" \((contract )?§[^)]*\)", "", paragraph)

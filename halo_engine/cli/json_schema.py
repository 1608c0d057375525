"""JSON Schemas generated from the models that validate the same data."""

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from halo_engine.domain.series import EXIT_RULES, KEY_PATTERN, SeriesDefinition

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": "^([0-9]{1,10}[dhms]|0)$"},
    ]
}
_TIME_OF_DAY: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_FILTER: Final = {"$ref": "#/$defs/Filter"}
#: AND groups joined by OR, or one group written flat.
_GROUPS: Final = {
    "anyOf": [
        {"type": "array", "items": {"type": "array", "items": _FILTER, "minItems": 1}},
        {"type": "array", "items": _FILTER},
    ]
}


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
    definitions = definitions_of(SeriesDefinition)
    settings, step = definitions["Settings"]["properties"], definitions["StepDefinition"]
    definitions["SeriesDefinition"]["properties"]["audience_filters"] = _GROUPS
    settings["exit_filters"] = settings["goal_filters"] = _GROUPS
    definitions["SeriesDefinition"]["properties"]["settings"].pop("default")
    # Rules that are always on cannot be listed.
    del definitions["ExitReason"]
    settings["exit_rules"] = {
        "type": "array",
        "items": {"enum": [str(rule) for rule in EXIT_RULES]},
    }
    step["oneOf"] = [{"required": ["email"]}, {"required": ["condition"]}]
    return definitions


def definitions_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of the models and of the models within them, by name."""
    _, described = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_Written
    )
    definitions: dict[str, Any] = described["$defs"]
    for definition in definitions.values():
        definition["description"] = _said(definition["description"])
        for field in definition.get("properties", {}).values():
            # Pydantic's title only repeats the name.
            field.pop("title", None)
    return definitions


def _said(docstring: str) -> str:
    """Return the first paragraph of a docstring, without the reference to the contract."""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.sub(r" \((contract )?§[^)]*\)", "", paragraph)

"""Makes the page of series files from their schema."""

from typing import Any, Final

from halo_engine.cli.schemas.json_schema import (
    ENTRY_EVENT_GROUPS,
    EVENT_GROUPS,
    GROUPS,
    series_schema,
)
from manual.markdown import code, table
from manual.shapes import Shape

_GROUPS: Final = "groups of [filters](filters.md)"
_EVENT_GROUPS: Final = "groups of [filters on the event](filters.md#properties-of-events)"
_INTRODUCTION: Final = """\
# Series files

A file holds series by their keys: letters, digits, `.`, `_` and `-`, at most 100.

```yaml
series:
  welcome:
    entry_trigger: user_created
    steps:
      - {key: hello, email: {subject: "Welcome, {{ name|there }}", body: "Good to have you here."}}
```

`halo series apply FILE` saves it, `halo series check FILE` says what is wrong with it, and
`halo schema` prints this page's content as JSON Schema. Unknown keys are refused.

"""


def page() -> str:
    """Return the page: each key of a series with what it may hold, and what it does."""
    schema = series_schema()
    definitions = schema["$defs"]
    series = _with_groups_by_name({**definitions["SeriesDefinition"], "$defs": definitions})
    rows = [
        (code(key.path), key.holds, key.otherwise, key.meaning)
        for key in Shape(series, {"Groups": _GROUPS, "EventGroups": _EVENT_GROUPS})
    ]
    return _INTRODUCTION + table(("key", "holds", "default", ""), rows)


def _with_groups_by_name(schema: Any) -> Any:
    """Return the schema with a name in place of groups of filters, which have their own page."""
    if not isinstance(schema, dict):
        return schema
    named = {key: _with_groups_by_name(value) for key, value in schema.items()}
    if schema.get("anyOf") == GROUPS["anyOf"]:
        return {**named, "anyOf": [{"$ref": "#/$defs/Groups"}]}
    if schema.get("anyOf") in (ENTRY_EVENT_GROUPS["anyOf"], EVENT_GROUPS["anyOf"]):
        return {**named, "anyOf": [{"$ref": "#/$defs/EventGroups"}]}
    return named

"""Describes what JSON holds, key by key, from its JSON Schema."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from manual.markdown import code, codes

Schema = Mapping[str, Any]

_FORMATS = {"date-time": "an instant", "uuid": "an id", "date": "a date"}
_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
}


class Key(NamedTuple):
    """One key: its path, what it may hold, its default as code or "required", and its meaning."""

    path: str
    holds: str
    otherwise: str
    meaning: str


class Shape:
    """A schema with the definitions that it refers to; ``named`` are written by name alone."""

    def __init__(self, schema: Schema, named: Mapping[str, str] | None = None) -> None:
        self._schema = schema
        self._definitions = schema.get("$defs", {})
        self._named = named or {}

    def __iter__(self) -> Iterator[Key]:
        """Yield every key, those within others below them: ``steps[].email.subject``."""
        yield from self._keys(self._schema, "", ())

    def _keys(self, schema: Schema, path: str, within: tuple[str, ...]) -> Iterator[Key]:
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            at = f"{path}.{name}" if path else name
            yield Key(
                at, self._words(field), _otherwise(name, field, required), self._meaning(field)
            )
            yield from self._below(field, at, within)

    def _below(self, field: Schema, at: str, within: tuple[str, ...]) -> Iterator[Key]:
        """Yield the keys of the objects that a field holds, itself or in a list."""
        if "$ref" in field:
            name = _name(field)
            if name not in within and name not in self._named:
                yield from self._keys(self._definitions[name], at, (*within, name))
        elif "items" in field:
            yield from self._below(field["items"], f"{at}[]", within)
        elif isinstance(field.get("additionalProperties"), dict):
            yield from self._below(field["additionalProperties"], f"{at}.KEY", within)
        else:
            seen = set()
            for each in (*field.get("anyOf", ()), *field.get("allOf", ())):
                for key in self._below(each, at, within):
                    if key.path not in seen:
                        seen.add(key.path)
                        yield key
            yield from self._keys(field, at, within)

    def _meaning(self, field: Schema) -> str:
        return str(field.get("description", "")).replace("``", "`")

    def _words(self, field: Schema) -> str:
        if "$ref" in field:
            name = _name(field)
            return self._named.get(name) or self._words(self._definitions[name])
        if "enum" in field or "const" in field:
            return codes(field.get("enum", [field.get("const")]))
        if "anyOf" in field:
            return _either([self._words(each) for each in field["anyOf"]])
        if len(field.get("allOf", ())) == 1:
            return self._words(field["allOf"][0])
        return self._typed(field)

    def _typed(self, field: Schema) -> str:
        match field.get("type"):
            case "array" if "items" in field:
                return f"a list: {self._words(field['items'])}"
            case "object":
                return self._object(field.get("additionalProperties"))
            case "string":
                return _text(field)
            case str(name):
                return _NAMES[name] + _bounds(field)
        return "anything"

    def _object(self, values: Any) -> str:
        has_keys_of_its_own = not isinstance(values, dict) or "$ref" in values
        return "an object" if has_keys_of_its_own else f"an object: {self._words(values)} by key"


def _name(field: Schema) -> str:
    return str(field["$ref"]).rpartition("/")[2]


def _either(words: list[str]) -> str:
    different = list(dict.fromkeys(words))
    if "null" in different:
        different = [*(each for each in different if each != "null"), "null"]
    return ", or ".join(different)


def _text(field: Schema) -> str:
    if field.get("format") in _FORMATS:
        return _FORMATS[field["format"]]
    least, most = field.get("minLength"), field.get("maxLength")
    if most is not None:
        return f"text, {least or 0} to {most} characters"
    return "text, not empty" if least else "text"


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    above = field.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if above is not None and high is not None:
        return f" above {above:,}, at most {high:,}"
    if low is not None:
        return f", at least {low:,}"
    if above is not None:
        return f" above {above:,}"
    return ""


def _otherwise(name: str, field: Schema, required: Any) -> str:
    if name in required:
        return "required"
    default = field.get("default")
    if isinstance(default, bool):
        return code("true" if default else "false")
    return "" if default in (None, [], {}, "") else code(default)

"""Series as files: ``series: {KEY: definition}`` in YAML, as scenarios write them too (§8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from halo_engine.domain.errors import Fault, Refusal, bad_input, shown, together
from halo_engine.domain.series.definition import SeriesDefinition, check_key
from halo_engine.domain.yaml_files.source import YamlSource
from halo_engine.series.save import read_definition

#: What an audience file may hold, as a series writes it.
_AUDIENCE_KEYS: Final = ("audience_filters", "audience_type", "contact_type", "subscription")


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """The definitions of a file by key, as they are ``written`` and as they are read."""

    written: Mapping[str, Any]
    definitions: Mapping[str, SeriesDefinition]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; a 400 names each fault with line and column."""
        source = YamlSource.read(path)
        written = _series_in(source.data, str(path))
        definitions, faults = read_series(written)
        unknown = [_unknown(key, "is series") for key in source.data if key != "series"]
        source.refuse([*unknown, *faults])
        return cls(written, definitions)


def read_series_file(path: Path) -> dict[str, SeriesDefinition]:
    """Return the definitions in a file by key; a 400 names each fault with line and column."""
    return dict(SeriesFile.read(path).definitions)


def read_audience_file(path: Path, key: str | None = None) -> SeriesDefinition:
    """Return the audience in a file: that of series ``key``, of its only series, or one by itself.

    An audience by itself is written as in a series: ``audience_filters`` and the keys beside them.
    """
    source = YamlSource.read(path)
    if not isinstance(source.data, Mapping) or not source.data.keys() & _AUDIENCE_KEYS:
        return series_of_file(path, key)
    allowed = f"are {', '.join(_AUDIENCE_KEYS)}"
    source.refuse([_unknown(each, allowed) for each in source.data if each not in _AUDIENCE_KEYS])
    written = {"entry_trigger": "manual", "audience_type": "segment", **source.data}
    definition, faults = read_definition("audience", written)
    if definition is None:
        raise source.refusal(faults)
    return definition


def series_of_file(path: Path, key: str | None = None) -> SeriesDefinition:
    """Return the definition of series ``key`` in a file, or of the only one; else raise a 400."""
    definitions = read_series_file(path)
    if key is None and len(definitions) == 1:
        [definition] = definitions.values()
        return definition
    if key is None or key not in definitions:
        problem = "name one" if key is None else f"there is no series {shown(key)} in it"
        allowed = f"{problem}; there are {', '.join(definitions)}"
        raise bad_input(str(path), allowed, "unknown_series")
    return definitions[key]


def parse_series(data: object, where: str) -> dict[str, SeriesDefinition]:
    """Return the definitions that ``data`` holds under ``series``; nothing in it is ignored.

    A 400 has a line for everything that is wrong.
    """
    definitions, faults = read_series(_series_in(data, where))
    if faults:
        raise together([each.refusal("") for each in faults])
    return definitions


def read_series(data: Mapping[Any, object]) -> tuple[dict[str, SeriesDefinition], list[Fault]]:
    """Read definitions by key; return the valid ones, and the faults of the others."""
    definitions, wrong = {}, []
    for key, written in data.items():
        try:
            name = check_key(key)
        except Refusal as refusal:
            _, _, problem = refusal.message.partition(": ")
            wrong.append(Fault(("series", str(key)), problem, refusal.code))
            continue
        definition, faults = read_definition(name, written)
        wrong += [each.below("series", name) for each in faults]
        if definition is not None:
            definitions[name] = definition
    return definitions, wrong


def _series_in(data: object, where: str) -> Mapping[Any, object]:
    series = data.get("series") if isinstance(data, Mapping) else None
    if isinstance(series, Mapping):
        return series
    raise bad_input(where, "holds no series; allowed is ‘series: {KEY: …}’", "bad_series_file")


def _unknown(key: object, allowed: str) -> Fault:
    return Fault((str(key),), f"unknown key; allowed {allowed}", "unknown_key")

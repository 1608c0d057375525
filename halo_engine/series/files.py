"""Series as files: ``series: {KEY: definition}`` in YAML, as scenarios write them too (§8)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halo_engine.domain.errors import Fault, Refusal, bad_input, together
from halo_engine.domain.series import SeriesDefinition, check_key
from halo_engine.domain.yaml_source import YamlSource
from halo_engine.series.save import read_definition


def read_series_file(path: Path) -> dict[str, SeriesDefinition]:
    """Return the definitions in a file by key; a 400 names each fault with line and column."""
    source = YamlSource.read(path)
    definitions, faults = read_series(_series_in(source.data, str(path)))
    unknown = [_unknown(key) for key in source.data if key != "series"]
    source.refuse([*unknown, *faults])
    return definitions


def parse_series(data: object, where: str) -> dict[str, SeriesDefinition]:
    """Return the definitions that ``data`` holds under ``series``; nothing in it is ignored.

    A 400 has a line for everything that is wrong.
    """
    definitions, faults = read_series(_series_in(data, where))
    if faults:
        raise together([each.refusal("") for each in faults])
    return definitions


def read_series(data: Mapping[Any, object]) -> tuple[dict[str, SeriesDefinition], list[Fault]]:
    """Read definitions by key; return the sound ones, and everything that is wrong in others."""
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


def _unknown(key: object) -> Fault:
    return Fault((str(key),), "unknown key; allowed is series", "unknown_key")

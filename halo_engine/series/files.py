"""Series as files: ``series: {KEY: definition}`` in YAML, as scenarios write them too (§8)."""

import re
from collections.abc import Mapping
from pathlib import Path

from halo_engine.domain.errors import bad_input, not_found, shown
from halo_engine.domain.series import KEY_PATTERN, SeriesDefinition
from halo_engine.domain.yaml_core import load_yaml
from halo_engine.series.save import parse_definition


def read_series_file(path: Path) -> dict[str, SeriesDefinition]:
    """Return the definitions in a file by key; a 400 names the file and what in it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise not_found("file", str(path)) from None
    except OSError as error:
        raise bad_input(str(path), f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise bad_input(str(path), "is no text; allowed is UTF-8") from None
    return parse_series(load_yaml(text, str(path)), str(path))


def parse_series(data: object, where: str) -> dict[str, SeriesDefinition]:
    """Return the definitions that ``data`` holds under ``series``; nothing in it is ignored."""
    if not isinstance(data, Mapping) or not isinstance(data.get("series"), Mapping):
        raise bad_input(where, "holds no series; allowed is ‘series: {KEY: …}’", "bad_series_file")
    unknown = [key for key in data if key != "series"]
    if unknown:
        raise bad_input(f"{where}.{unknown[0]}", "unknown key; allowed is series", "unknown_key")
    return {
        check_key(key, where): parse_definition(key, definition)
        for key, definition in data["series"].items()
    }


def check_key(key: object, where: str) -> str:
    """Return ``key`` if it can name a series; else raise a 400."""

    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key):
        return key
    allowed = "letters, digits, ., _ and -, at most 100, beginning with a letter or digit"
    raise bad_input(where, f"{shown(key)} is not a series key; allowed are {allowed}", "bad_key")

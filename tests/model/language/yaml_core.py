"""YAML as version 1.2's core schema reads it: times and timestamps stay text (scenarios.md)."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

TAGS = (
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), list("-+0123456789")),
    (
        "float",
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"),
        list("-+.0123456789"),
    ),
)


class CoreLoader(yaml.SafeLoader):
    """A safe loader that resolves plain scalars by the core schema and refuses repeated keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; raises a YAML error when a key comes twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(keys)) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key repeats", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_core_int(self, node: yaml.ScalarNode) -> int:
        """Read an integer: decimal, `0o` octal or `0x` hexadecimal."""
        text = self.construct_scalar(node)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


for _name, _pattern, _first in TAGS:
    _whole = re.compile(rf"^(?:{_pattern.pattern})$")
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _whole, _first)
CoreLoader.add_constructor("tag:yaml.org,2002:int", CoreLoader.construct_core_int)


def load(text: str) -> Any:
    """Read one YAML document; raises `yaml.YAMLError` when it is none."""
    return yaml.load(text, Loader=CoreLoader)

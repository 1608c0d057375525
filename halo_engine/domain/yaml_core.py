"""YAML as series and scenario files are written: 1.2 core, so `17:00`, `on` and dates are text."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from halo_engine.domain.errors import bad_input
from halo_engine.domain.yaml_wording import malformed

_WIDTH = 100
#: Room for the indentation of whatever is written on one line.
_INDENT = 20


class _CoreLoader(yaml.SafeLoader):
    """Scalars as YAML 1.2's core schema reads them; a key given twice is an error."""

    # A class of its own must not add to the resolvers of the one it is made from.
    yaml_implicit_resolvers = {}  # noqa: RUF012 -- PyYAML declares it so

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is text", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_CORE = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
)
for _tag, _pattern, _first in _CORE:
    for _character in _first:
        _CoreLoader.yaml_implicit_resolvers.setdefault(
            "" if _character == "\0" else _character, []
        ).append((_tag, re.compile(f"^(?:{_pattern})$")))


def _construct_int(loader: _CoreLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_CoreLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def load_yaml(text: str, where: str) -> Any:
    """Return what ``text`` writes; a 400 names ``where``, line and column of what is no YAML."""
    try:
        # A safe loader: nothing but scalars, lists and mappings comes out of it.
        return yaml.load(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        raise malformed(error, text, where, _first_error) from None
    except RecursionError:
        raise bad_input(where, "is nested too deeply", "bad_yaml") from None


def node_tree(text: str) -> yaml.Node | None:
    """Return the nodes of what ``load_yaml`` read: they know their lines and columns."""
    return yaml.compose(text, Loader=_CoreLoader)


def _first_error(text: str) -> yaml.YAMLError | None:
    """Return what ``load_yaml`` would refuse first, without its place where it has none."""
    try:
        yaml.load(text, Loader=_CoreLoader)
    except yaml.YAMLError as error:
        return error
    except (RecursionError, ValueError):
        return yaml.YAMLError()
    return None


def dump_yaml(data: object) -> str:
    """Return ``data`` as YAML that ``load_yaml`` reads back; what is short stands on one line."""
    written: str = yaml.dump(
        data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return written


class _CoreDumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would take for something else."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 -- as above

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Set the items of a list apart from the key that they belong to."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """Write everything out: a file is for people."""
        return True


# PyYAML's own are 1.1's; some words are text there and none in 1.2 (``0o17``, ``1e3``).
for _resolvers in (yaml.SafeDumper.yaml_implicit_resolvers, _CoreLoader.yaml_implicit_resolvers):
    for _character, _found in _resolvers.items():
        _CoreDumper.yaml_implicit_resolvers.setdefault(_character, []).extend(_found)


def _represent_text(dumper: _CoreDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_collection(dumper: _CoreDumper, data: dict[str, Any] | list[Any]) -> yaml.Node:
    short = len(str(data)) < _WIDTH - _INDENT and "\\n" not in str(data)
    if isinstance(data, dict):
        return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=short)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)


_CoreDumper.add_representer(str, _represent_text)
_CoreDumper.add_representer(dict, _represent_collection)
_CoreDumper.add_representer(list, _represent_collection)

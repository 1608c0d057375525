"""YAML as series and scenario files are written: 1.2 core, so `17:00`, `on` and dates are text."""

import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.yaml_files.wording import malformed

#: Limits of a file, far above any real one: its characters, its values with all aliases written
#: out, how deep objects and lists nest, and the characters of a number.
MOST_CHARACTERS: Final = 10_000_000
MOST_VALUES: Final = 1_000_000
DEEPEST: Final = 64
LONGEST_NUMBER: Final = 100

_WIDTH = 100
#: Wide enough for the indentation of what is written on one line.
_INDENT = 20


class _BeyondBoundsError(yaml.MarkedYAMLError):
    """The text is YAML, but beyond the limits or the core schema."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)
        self.problem = problem
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1


class _CoreLoader(yaml.SafeLoader):
    """Reads YAML 1.2's core schema; refuses a key given twice, and whatever exceeds the limits."""

    # Its own dict: resolvers added here must not reach the base class.
    yaml_implicit_resolvers = {}  # noqa: RUF012 -- PyYAML declares it so

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = 0
        self._depth = 0
        #: How many values each anchored node holds with all aliases written out.
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a value; count it as if all aliases were written out, and enforce the limits."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > DEEPEST:
            raise _BeyondBoundsError(f"nested deeper than {DEEPEST} levels", event.start_mark)
        before = self._values
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                raise _BeyondBoundsError(
                    f"the alias *{event.anchor} stands within what it repeats", event.start_mark
                )
            self._values += self._sizes[node]
        else:
            self._values += 1
            if node is not None and event.anchor is not None:
                self._sizes[node] = self._values - before
        if self._values > MOST_VALUES:
            raise _BeyondBoundsError(
                f"more than {MOST_VALUES} values, all aliases written out", event.start_mark
            )
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct a value of the core schema; refuse one that does not fit its tag."""
        problem = _misfit(node)
        if problem is not None:
            raise _BeyondBoundsError(problem, node.start_mark)
        return super().construct_object(node, deep)

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
_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
#: What a scalar of each tag looks like; any text is a string.
_WRITTEN: Final = {tag: re.compile(pattern) for tag, pattern, _ in _CORE}
_KINDS: Final = {
    "tag:yaml.org,2002:str": yaml.ScalarNode,
    "tag:yaml.org,2002:seq": yaml.SequenceNode,
    "tag:yaml.org,2002:map": yaml.MappingNode,
    **dict.fromkeys(_WRITTEN, yaml.ScalarNode),
}
for _tag, _pattern, _first in _CORE:
    for _character in _first:
        _CoreLoader.yaml_implicit_resolvers.setdefault(
            "" if _character == "\0" else _character, []
        ).append((_tag, re.compile(f"^(?:{_pattern})$")))


def _misfit(node: yaml.Node) -> str | None:
    """Return why a value does not fit its tag; None if it does."""
    kind = _KINDS.get(node.tag)
    if kind is None:
        return f"the tag {shown(node.tag)} is none of the core schema"
    if not isinstance(node, kind):
        return f"the tag {shown(node.tag)} is of another kind of value"
    if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
        return f"a number of {len(node.value)} characters; at most {LONGEST_NUMBER} are read"
    written = _WRITTEN.get(node.tag)
    if written is not None and not written.fullmatch(node.value):
        return f"{shown(node.value)} is not of the tag {shown(node.tag)}"
    return None


def _construct_int(loader: _CoreLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_CoreLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def load_yaml(text: str, where: str) -> Any:
    """Return the data of a YAML text.

    Raises a 400 that names ``where``, line and column of the first thing that is no YAML or exceeds
    the limits.
    """
    if len(text) > MOST_CHARACTERS:
        problem = f"is longer than {MOST_CHARACTERS} characters"
        raise bad_input(where, f"{problem}; allowed are several files", "bad_yaml")
    try:
        return _read(text)
    except _BeyondBoundsError as error:
        place = f"{where}, line {error.line}, column {error.column}"
        raise bad_input(place, f"{error.problem}; allowed is YAML 1.2", "bad_yaml") from None
    except yaml.YAMLError as error:
        raise malformed(error, text, where, _first_error) from None


def _read(text: str) -> Any:
    # A safe loader: it makes only scalars, lists and mappings.
    loader = _CoreLoader(text)
    try:
        return loader.get_single_data()
    except ValueError:
        # For example an escape that is no character; the reader's error has no place.
        raise _BeyondBoundsError("cannot be read", loader.get_mark()) from None
    finally:
        loader.dispose()


def node_tree(text: str) -> yaml.Node | None:
    """Return the nodes of a text that ``load_yaml`` took, with their lines and columns."""
    return yaml.compose(text, Loader=_CoreLoader)


def _first_error(text: str) -> yaml.YAMLError | None:
    """Return the first error in ``text``, None if it can be read; not every error has a place."""
    try:
        _read(text)
    except yaml.YAMLError as error:
        return error
    except (RecursionError, ValueError):
        return yaml.YAMLError()
    return None


def dump_yaml(data: object) -> str:
    """Return ``data`` as YAML that ``load_yaml`` reads back; short values are on one line."""
    written: str = yaml.dump(
        data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return written


class _CoreDumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as another type."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 -- as above

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent the items of a list below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """Write every value out: people read these files."""
        return True


# PyYAML follows 1.1, where some words are text that are numbers in 1.2 (``0o17``, ``1e3``).
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

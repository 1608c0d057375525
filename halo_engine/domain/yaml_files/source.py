"""A YAML file whose faults are reported with line and column."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any, Final, Self

import yaml

from halo_engine.domain.errors import Fault, Path, Refusal, bad_input, not_found
from halo_engine.domain.yaml_files.core import MOST_CHARACTERS, load_yaml, node_tree

#: More faults than these are only counted: nobody reads more at once.
_MOST_FAULTS: Final = 50
_Pair = tuple[yaml.Node, yaml.Node]


@dataclass(frozen=True, slots=True)
class YamlSource:
    """The text of a YAML file, ``where`` it is from, and its ``data``."""

    where: str
    text: str
    data: Any

    @classmethod
    def read(cls, path: FilePath) -> Self:
        """Read a UTF-8 file; raises a 404 if there is none, a 400 if it is no YAML."""
        text = read_text(path)
        return cls(str(path), text, load_yaml(text, str(path)))

    def place(self, path: Path) -> str:
        """Return line and column of the value at ``path``, or of what is nearest to it."""
        line, column = _Tree(node_tree(self.text)).mark(Fault(path, ""))
        return f"line {line}, column {column}"

    def refuse(self, faults: Sequence[Fault]) -> None:
        """Raise a 400 with all ``faults``, in the order of the file; nothing if there are none."""
        if faults:
            raise self.refusal(faults)

    def refusal(self, faults: Sequence[Fault]) -> Refusal:
        """Return a 400 with a line for each of the ``faults``."""
        tree = _Tree(node_tree(self.text))
        placed = sorted(((tree.mark(each), each) for each in faults), key=lambda each: each[0])
        said = [
            {"code": each.code, "message": each.refusal("").message, "line": line, "column": column}
            for (line, column), each in placed
        ]
        lines = [
            f"{self.where}, line {each['line']}, column {each['column']}: {each['message']}"
            for each in said[:_MOST_FAULTS]
        ]
        if len(said) > _MOST_FAULTS:
            lines.append(f"{self.where}: and {len(said) - _MOST_FAULTS} more")
        return Refusal(400, placed[0][1].code, "\n".join(lines), said[:_MOST_FAULTS])


def read_text(path: FilePath) -> str:
    """Return the text of a file up to the limit of a YAML file: some files never end.

    Raises a 404 if there is none, a 400 if it is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        raise not_found("file", str(path)) from None
    except OSError as error:
        raise bad_input(str(path), f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise bad_input(str(path), "is no text; allowed is UTF-8") from None


class _Tree:
    """The nodes of a YAML file, found by the path that leads to them."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root
        #: By key. Each mapping is indexed once: a file may have a fault at every key.
        self._indexes: dict[yaml.Node, dict[str, _Pair]] = {}

    def mark(self, fault: Fault) -> tuple[int, int]:
        """Return line and column of a fault: of the key if it is unknown, else of the value."""
        if self._root is None:
            return 1, 1
        key, value = self._nodes_at(self._root, fault.path)
        mark = (key if fault.code == "unknown_key" else value).start_mark
        return mark.line + 1, mark.column + 1

    def _nodes_at(self, root: yaml.Node, path: Path) -> _Pair:
        """Return the nodes of the key and the value at ``path``, or as near to it as there are."""
        key = value = root
        for part, following in pairwise((*path, None)):
            match value:
                # A flat list of filters is one group: only the path has a number for the group.
                case yaml.SequenceNode(value=[yaml.MappingNode(), *_]) if isinstance(
                    following, int
                ):
                    continue
                case yaml.MappingNode():
                    found = self._index(value).get(str(part))
                case yaml.SequenceNode(value=items) if isinstance(part, int) and part < len(items):
                    found = items[part], items[part]
                case _:
                    found = None
            if found is None:
                break
            key, value = found
        return key, value

    def _index(self, mapping: yaml.MappingNode) -> dict[str, _Pair]:
        if mapping not in self._indexes:
            self._indexes[mapping] = {key.value: (key, value) for key, value in mapping.value}
        return self._indexes[mapping]

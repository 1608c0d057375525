"""Parts of an email for those who have a value: ``{% if plan %}…{% else %}…{% endif %}`` (§15).

The tags may nest. Nothing else of a template language is understood, and nothing can loop.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import unescape
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.catalogue import Field, resolve_in_run

IF_TAG: Final = re.compile(r"\{%(?P<inside>[^{}%]{0,300})%\}")
_ALLOWED: Final = "allowed are {% if FIELD %}, {% else %} and {% endif %}"
_DEEPEST: Final = 20
_SET: Final = "set"

_Piece = TypeVar("_Piece")


class TagKind(StrEnum):
    """The three tags."""

    IF = "if"
    ELSE = "else"
    ENDIF = "endif"


@dataclass(frozen=True, slots=True)
class IsSet:
    """The question whether a contact has a value of ``field`` (contract §15)."""

    field: Field

    @property
    def named(self) -> str:
        """The name of the answer among the values of a mail; no merge field has it."""
        return f"if {self.field.name}"

    def text_of(self, value: object, _zone: ZoneInfo) -> str:
        """Return some text if the value is set: neither missing nor blank, ``[]`` or ``{}``."""
        is_blank = value is None or value in ([], {})
        return "" if is_blank or (isinstance(value, str) and not value.strip()) else _SET


@dataclass(frozen=True, slots=True)
class IfTag:
    """One tag as it stands; only ``if`` has a question."""

    kind: TagKind
    source: str
    question: IsSet | None = None

    @classmethod
    def read(cls, source: str, inside: str) -> "IfTag":
        """Read a tag; raises a 400 for any other, and for an unknown field."""
        word, _, name = unescape(inside).strip().partition(" ")
        if word == TagKind.IF and name.strip():
            return cls(TagKind.IF, source, IsSet(resolve_in_run(name.strip())))
        if word in (TagKind.ELSE, TagKind.ENDIF) and not name.strip():
            return cls(TagKind(word), source)
        raise _refused(source, "is no tag")


@dataclass(frozen=True, slots=True)
class IfBlock(Generic[_Piece]):
    """What stands between an ``if`` and its ``endif``: for those who have the value, or not."""

    question: IsSet
    shown: "Sequence[_Piece | IfBlock[_Piece]]"
    otherwise: "Sequence[_Piece | IfBlock[_Piece]]"


def questions_of(template: str) -> frozenset[IsSet]:
    """Return the questions that a template asks; raises a 400 for tags that do not match."""
    return frozenset(
        part.question for part in _read(template)[0] if isinstance(part, IfTag) and part.question
    )


def shown_part(template: str, values: Mapping[str, str]) -> str:
    """Return the template without its tags and without the parts that are not shown.

    ``values`` answer the questions, by ``IsSet.named``. Raises what ``questions_of`` raises.
    """
    asked = _asked(template)
    if not asked:
        return template
    return _shown(template, frozenset(name for name in asked if values.get(name)))


def shown_pieces(
    pieces: "Sequence[_Piece | IfBlock[_Piece]]", values: Mapping[str, str]
) -> Iterator[_Piece]:
    """Yield the pieces that are shown to somebody with these values."""
    for piece in pieces:
        if isinstance(piece, IfBlock):
            is_set = values.get(piece.question.named)
            yield from shown_pieces(piece.shown if is_set else piece.otherwise, values)
        else:
            yield piece


def nested(parts: Iterable[_Piece | IfTag]) -> "tuple[_Piece | IfBlock[_Piece], ...]":
    """Return pieces and tags in a row as pieces and blocks; raises a 400 if tags do not match."""
    top: list[_Piece | IfBlock[_Piece]] = []
    into = top
    open_: list[_OpenBlock[_Piece]] = []
    for part in parts:
        if not isinstance(part, IfTag):
            into.append(part)
        elif part.question is not None:
            if len(open_) == _DEEPEST:
                raise _refused(part.source, f"is inside {_DEEPEST} others")
            open_.append(_OpenBlock(part, into, [], []))
            into = open_[-1].shown
        elif not open_ or (part.kind is TagKind.ELSE and open_[-1].has_else):
            raise _refused(part.source, "belongs to no {% if FIELD %}")
        elif part.kind is TagKind.ELSE:
            open_[-1].has_else = True
            into = open_[-1].otherwise
        else:
            block = open_.pop()
            into = block.around
            into.append(block.closed())
    if open_:
        raise _refused(open_[-1].tag.source, "has no {% endif %}")
    return tuple(top)


@dataclass(slots=True)
class _OpenBlock(Generic[_Piece]):
    """A block whose ``endif`` has not come yet."""

    tag: IfTag
    around: "list[_Piece | IfBlock[_Piece]]"
    shown: "list[_Piece | IfBlock[_Piece]]"
    otherwise: "list[_Piece | IfBlock[_Piece]]"
    has_else: bool = False

    def closed(self) -> "IfBlock[_Piece]":
        """Return the block."""
        assert self.tag.question is not None
        return IfBlock(self.tag.question, tuple(self.shown), tuple(self.otherwise))


@lru_cache(maxsize=1024)
def _asked(template: str) -> frozenset[str]:
    return frozenset(question.named for question in questions_of(template))


@lru_cache(maxsize=256)
def _shown(template: str, answers: frozenset[str]) -> str:
    """Return what is shown to whoever has the values that ``answers`` name."""
    return "".join(shown_pieces(_read(template)[1], dict.fromkeys(answers, _SET)))


@lru_cache(maxsize=1024)
def _read(template: str) -> "tuple[Sequence[str | IfTag], Sequence[str | IfBlock[str]]]":
    """Return the texts and tags of a template in a row, and nested."""
    row = tuple(_cut(template))
    return row, nested(row)


def _cut(template: str) -> Iterator[str | IfTag]:
    end = 0
    for found in IF_TAG.finditer(template):
        yield template[end : found.start()]
        yield IfTag.read(found[0], found["inside"])
        end = found.end()
    yield template[end:]
    rest = IF_TAG.sub("", template)
    if "{%" in rest and "%}" in rest[rest.index("{%") :]:
        raise _refused(rest[rest.index("{%") :], "holds no tag")


def _refused(source: str, problem: str) -> Refusal:
    return bad_input("tag", f"{shown(source)} {problem}; {_ALLOWED}", "bad_if_block")

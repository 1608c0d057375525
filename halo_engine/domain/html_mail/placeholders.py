"""Stand-ins for merge fields and tags while the HTML around them is parsed (contract §15).

Each is a number between two characters that the HTML does not hold. A tag becomes a comment, since
a parser moves text, but no comment, out of a table.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Final

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.if_blocks import IF_TAG, IfTag
from halo_engine.domain.fields.merge_fields import MERGE_FIELD

_PRIVATE: Final = range(0xE000, 0xF8FF)
#: An HTML tag; ``<`` in it stands in quotes alone.
_HTML_TAG: Final = re.compile(r"</?[A-Za-z](?:[^\"'<>]|\"[^\"]*\"|'[^']*')*+>")
#: So many tags may lack their end; a browser takes what follows for attributes.
_MOST_ENDLESS: Final = 100
#: How a value stands: in text or an attribute, in a URL, or as a whole link that is tracked.
IN_TEXT: Final = "t"
IN_URL: Final = "u"
AS_LINK: Final = "l"
#: What a comment that stands for a tag begins with.
TAG: Final = "i"


@dataclass(frozen=True)
class Placeholders:
    """The placeholders of one template: by number the sources of its merge fields, and its tags."""

    html: str
    opening: str
    closing: str
    fields: list[str] = field(default_factory=list)
    tags: list[IfTag] = field(default_factory=list)

    @classmethod
    def put_into(cls, html: str) -> "Placeholders":
        """Put placeholders into ``html``; raises a 400 for a tag inside an HTML tag or comment."""
        opening, closing = _unused(html)
        fields: list[str] = []
        tags: list[IfTag] = []

        def replace_field(found: re.Match[str]) -> str:
            # An editor writes the characters of a fallback as entities.
            fields.append(unescape(found[0]))
            return f"{opening}{len(fields) - 1}{closing}"

        replaced = MERGE_FIELD.sub(replace_field, html)
        written: list[str] = []
        end = 0
        spans = _markup(replaced)
        span = next(spans, None)
        for found in IF_TAG.finditer(replaced):
            while span is not None and span[1] <= found.start():
                span = next(spans, None)
            if span is not None and span[0] < found.start():
                problem = f"{shown(found[0])} stands inside a tag; allowed is between tags"
                raise bad_input("html", problem, "bad_if_block")
            tags.append(IfTag.read(found[0], found["inside"]))
            written += [replaced[end : found.start()]]
            written += [f"<!--{opening}{TAG}{len(tags) - 1}{closing}-->"]
            end = found.end()
        return cls("".join([*written, replaced[end:]]), opening, closing, fields, tags)

    def pattern(self, before: str = "") -> re.Pattern[str]:
        """Return a placeholder's pattern; ``before`` comes before its number."""
        return re.compile(rf"{self.opening}{before}(\d+){self.closing}")

    def write(self, kind: str, number: int = 0) -> str:
        """Return a placeholder of ``kind``, a small letter."""
        return f"{self.opening}{kind}{number}{self.closing}"

    def restored(self, text: str) -> str:
        """Return ``text`` with the sources of fields and tags in place of their placeholders."""
        text = self.pattern().sub(lambda found: self.fields[int(found[1])], text)
        return self.pattern(TAG).sub(lambda found: self.tags[int(found[1])].source, text)

    def tag_of(self, comment: str) -> IfTag | None:
        """Return the tag that a comment stands for; None for a comment of the author."""
        found = self.pattern(TAG).fullmatch(comment)
        return self.tags[int(found[1])] if found else None


def _markup(html: str) -> Iterator[tuple[int, int]]:
    """Yield where comments and tags begin and end; raises a 400 for many that do not end."""
    endless, start = 0, html.find("<")
    while start != -1:
        if html.startswith("<!--", start):
            closed = html.find("-->", start)
            end = len(html) if closed == -1 else closed + len("-->")
            yield start, end
        elif tag := _HTML_TAG.match(html, start):
            end = tag.end()
            yield start, end
        else:
            endless += html[start + 1 : start + 2].isalpha()
            end = start + 1
        if endless > _MOST_ENDLESS:
            problem = "many tags have no end; allowed are tags that end with >"
            raise bad_input("html", problem, "bad_html")
        start = html.find("<", end)


def _unused(html: str) -> tuple[str, str]:
    """Return two characters that stand in ``html`` neither themselves nor as entities."""
    taken = {*html, *unescape(html)}
    free = [chr(code) for code in _PRIVATE if chr(code) not in taken][:2]
    if len(free) < 2:
        raise bad_input("html", "has every private character; allowed is text", "bad_html")
    return free[0], free[1]

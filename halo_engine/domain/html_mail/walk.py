"""Check the parsed HTML of an email, and note how each value stands in it (contract §15).

What a contact wrote is escaped for where it stands: in text and attributes, or in a URL. So it
makes no element, no attribute and no link.
"""

import re
from collections.abc import Iterator
from typing import Final

from justhtml import Comment, Element, Node, ProcessingInstruction, Text

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.merge_fields import FOOTER, MERGE_FIELD, UNSUBSCRIBE_URL
from halo_engine.domain.html_mail.allowed import (
    is_web_link,
    may_hold_values,
    problem_of_attribute,
    problem_of_comment,
    problem_of_element,
    problem_of_styles,
    urls_in,
)
from halo_engine.domain.html_mail.placeholders import AS_LINK, IN_TEXT, IN_URL, TAG, Placeholders

_TRACKED: Final = frozenset({("a", "href"), ("area", "href")})
_DEEPEST: Final = 200
_BRACES: Final = re.compile(r"\{\{|\}\}|\{%")


class Walk:
    """One pass over a page; ``links`` are the tracked ones, as templates."""

    def __init__(self, placeholders: Placeholders) -> None:
        self.links: list[str] = []
        self._placeholders = placeholders
        self._mark = placeholders.pattern()

    def over(self, root: Node) -> None:
        """Check the page below ``root``, and name the kind of each placeholder; raises a 400."""
        for node in _nodes(root):
            match node:
                case Text():
                    self._text(node, node.data or "")
                case Element():
                    self._element(node)
                case Comment() | ProcessingInstruction():
                    self._comment(str(node.data or ""))

    def _text(self, node: Text, text: str) -> None:
        within = node.parent.name if node.parent is not None else ""
        if within == "style":
            self._styles(text)
            return
        self._refuse_tags(text)
        if within == "title" and any(map(self._part, self._mark.finditer(text))):
            raise _refused("footer and unsubscribe link stand in <title>; allowed is the body")
        if stray := _BRACES.search(text):
            problem = f"{shown(text[stray.start() :])} is not a merge field"
            raise _refused(f"{problem}; allowed are {{{{ name }}}} and single braces")
        node.data = self._named(IN_TEXT, text)

    def _styles(self, css: str) -> None:
        if self._placeholders.opening in css or "{{" in css:
            raise _refused("a merge field or tag stands in <style>; allowed are styles without")
        if problem := problem_of_styles(css):
            raise _refused(problem)

    def _comment(self, comment: str) -> None:
        if self._placeholders.tag_of(comment) is not None:
            return
        if self._placeholders.opening in comment:
            raise _refused("a merge field stands in a comment; allowed are text and attributes")
        if problem := problem_of_comment(comment):
            raise _refused(problem)

    def _refuse_tags(self, text: str) -> None:
        """Refuse a tag that no comment stands for: the parser took it for text."""
        if self._placeholders.pattern(TAG).search(text):
            raise _refused("a tag stands where HTML holds text alone; allowed is between elements")

    def _element(self, node: Element) -> None:
        attributes = node.attrs
        if self._placeholders.opening in "".join((node.name, *attributes)):
            raise _refused(
                "a merge field stands in the name of a tag or attribute; allowed are text and the "
                "values of attributes"
            )
        if problem := problem_of_element(node.name, attributes):
            raise _refused(problem)
        for name, value in attributes.items():
            attributes[name] = self._value(node.name, name, value or "")

    def _value(self, element: str, attribute: str, value: str) -> str:
        self._refuse_tags(value)
        source = self._placeholders.restored(value)
        if problem := problem_of_attribute(attribute, MERGE_FIELD.sub("", source)):
            raise _refused(problem)
        if not any(urls_in(attribute, "https:")):
            return self._plain_value(attribute, value)
        for url in urls_in(attribute, value):
            self._check_values_in(url)
        if (element, attribute) in _TRACKED and is_web_link(source):
            self.links.append(source.strip())
            return self._placeholders.write(AS_LINK, len(self.links) - 1)
        return self._named(IN_URL, value)

    def _plain_value(self, attribute: str, value: str) -> str:
        first = self._mark.search(value)
        if first and attribute == "style":
            raise _refused("a merge field stands in a style; allowed are text and other attributes")
        if first and self._part(first) == FOOTER:
            raise _refused("{{ footer }} stands in an attribute; allowed is text")
        return self._named(IN_TEXT, value)

    def _check_values_in(self, url: str) -> None:
        first = self._mark.search(url)
        if first is None or (self._part(first) == UNSUBSCRIBE_URL and first[0] == url.strip()):
            return
        is_part = any(self._part(each) is not None for each in self._mark.finditer(url))
        if is_part or not may_hold_values(url, first.start()):
            written = shown(self._placeholders.restored(url))
            problem = f"{written}: the link's host or address is not spelled out"
            raise _refused(
                f"{problem}; allowed are merge fields after https://HOST/ or mailto:ADDRESS?"
            )

    def _part(self, mark: re.Match[str]) -> str | None:
        """Return the part of the mail that a placeholder stands for; None for a field."""
        name = self._placeholders.fields[int(mark[1])].strip("{}").partition("|")[0].strip()
        return name if name in (FOOTER, UNSUBSCRIBE_URL) else None

    def _named(self, kind: str, text: str) -> str:
        return self._mark.sub(lambda mark: self._placeholders.write(kind, int(mark[1])), text)


def _nodes(root: Node) -> Iterator[Node | Text]:
    """Yield what is below ``root``; raises a 400 for elements nested too deeply."""
    waiting: list[tuple[Node | Text, int]] = [(child, 1) for child in root.children or ()]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _refused(f"elements are nested too deeply; allowed are {_DEEPEST} levels")
        yield node
        waiting += [(child, depth + 1) for child in node.children or ()]


def _refused(problem: str) -> Refusal:
    return bad_input("html", problem, "bad_html")

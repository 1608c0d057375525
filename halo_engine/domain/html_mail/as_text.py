"""The text of a page, for the text part of an email that is written as HTML alone (§15)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from justhtml import Element, Node, Text

from halo_engine.domain.html_mail.placeholders import AS_LINK, IN_TEXT, IN_URL, Placeholders

_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_NOT_READ: Final = frozenset({"style", "title", "head"})
#: The kind of placeholder that stands for a line end until the text is put together.
_LINE: Final = "n"


def as_text(body: Element, placeholders: Placeholders, links: Sequence[str]) -> str:
    """Return the text of a page as a template; a link's URL follows its words."""
    copy = body.clone_node(deep=True)
    for node in (*copy.query("*"), copy):
        assert isinstance(node, Element)
        _rewrite(node, placeholders, links)
    text = copy.to_text(separator="\n\n", separator_blocks_only=True)
    lines = (line.strip() for line in text.replace(placeholders.write(_LINE), "\n").splitlines())
    plain = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
    for kind in (IN_TEXT, IN_URL):
        plain = re.sub(f"{placeholders.opening}{kind}(?=[0-9])", placeholders.opening, plain)
    return placeholders.restored(plain)


def _rewrite(element: Element, placeholders: Placeholders, links: Sequence[str]) -> None:
    if element.name in _NOT_READ:
        for child in list(element.children):
            element.remove_child(child)
    for child in list(element.children):
        if child.name == "#text":
            child.data = _SPACE.sub(" ", child.data)
        elif child.name == "#comment" and placeholders.tag_of(child.data):
            element.replace_child(Text(child.data), child)
        elif child.name in _REPLACED:
            written = _REPLACED[child.name](child)
            element.replace_child(Text(written.replace("\n", placeholders.write(_LINE))), child)
    if element.name == "li":
        element.insert_before(Text("- "), element.children[0] if element.children else None)
    elif element.name == "a":
        url = placeholders.pattern(AS_LINK).sub(
            lambda mark: links[int(mark[1])], element.attrs.get("href") or ""
        )
        words = element.to_text().strip()
        if url and not url.startswith("#") and url != words:
            element.append_child(Text(f" ({url})" if words else url))


def _alternative(picture: Node) -> str:
    return (picture.attrs or {}).get("alt") or ""


_REPLACED: Final[Mapping[str, Callable[[Node], str]]] = {
    "br": lambda _: "\n",
    "hr": lambda _: "\n---\n",
    "img": _alternative,
}

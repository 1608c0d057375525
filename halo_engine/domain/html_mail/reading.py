"""Read the HTML of an email into pieces (contract §15)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from justhtml import Comment, Element, JustHTML, Node

from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.domain.fields.if_blocks import IfTag, TagKind, nested, questions_of
from halo_engine.domain.fields.merge_fields import FOOTER, fields_of, mail_parts_of
from halo_engine.domain.html_mail.as_text import as_text
from halo_engine.domain.html_mail.choices import check_choices
from halo_engine.domain.html_mail.page import END, TITLE, TOP, HtmlPage, Slot, SlotKind
from halo_engine.domain.html_mail.placeholders import AS_LINK, IN_TEXT, IN_URL, TAG, Placeholders
from halo_engine.domain.html_mail.styles import inlined, take_out_links
from halo_engine.domain.html_mail.walk import Walk

_IS_WHOLE_PAGE: Final = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_PAGE: Final = (
    '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width">\n'
    "<title>{}</title>\n</head>\n<body>{}</body></html>"
)


def read(html: str) -> HtmlPage:
    """Read the HTML of an email; raises a 400 for what is refused.

    Missing closing tags are mended, and styles put at their elements.
    """
    placeholders = Placeholders.put_into(html)
    whole = _IS_WHOLE_PAGE.search(html)
    page = (
        placeholders.html if whole else _PAGE.format(placeholders.write(TITLE), placeholders.html)
    )
    document = JustHTML(page, sanitize=False)
    taken_out = take_out_links(document.root)
    body = document.query_one("body")
    assert isinstance(body, Element)
    _mend_tables(body, placeholders)
    _check_blocks(body, placeholders)
    if placeholders.tags:
        check_choices(page, document.to_html(pretty=False), placeholders)
    walk = Walk(placeholders)
    walk.over(document.root)
    text = as_text(body, placeholders, walk.links)
    body.insert_before(
        Comment(placeholders.write(TOP)), body.children[0] if body.children else None
    )
    body.append_child(Comment(placeholders.write(END)))
    pieces = tuple(
        _cut(inlined(document.to_html(pretty=False), document.root), placeholders, walk.links)
    )
    _check_all_stand(pieces, placeholders)
    asks = fields_of(text) | questions_of(text)
    for piece in pieces:
        if isinstance(piece, Slot):
            asks |= fields_of(piece.template)
    return HtmlPage(nested(pieces), text, taken_out, asks)


def _mend_tables(body: Element, placeholders: Placeholders) -> None:
    """Move a tag before the rows of a table in among them, where its ``endif`` is."""
    for rows in body.query("tbody"):
        table = rows.parent
        if not isinstance(table, Element) or table.name != "table":
            continue
        before = table.children[: table.children.index(rows)]
        first = next(iter(rows.children or ()), None)
        for child in [each for each in before if _tag_at(each, placeholders)]:
            table.remove_child(child)
            rows.insert_before(child, first)


def _check_blocks(root: Node, placeholders: Placeholders) -> None:
    """Raise a 400 unless all blocks are in the body, and the tags of each have one parent."""
    open_: list[Node | None] = []
    in_body = list(_in_order(root))
    if sum(_tag_at(node, placeholders) is not None for node in in_body) < len(placeholders.tags):
        raise _refused("a tag stands outside the body; allowed is between its elements")
    for node in in_body:
        tag = _tag_at(node, placeholders)
        if tag is None:
            continue
        if tag.question is not None:
            open_.append(node.parent)
        elif open_ and open_[-1] is not node.parent:
            problem = f"what stands before {tag.source} is no whole element"
            raise _refused(f"{problem}; allowed are elements that begin and end in one part")
        if tag.kind is TagKind.ENDIF and open_:
            open_.pop()


def _tag_at(node: Node, placeholders: Placeholders) -> IfTag | None:
    return placeholders.tag_of(str(node.data)) if isinstance(node, Comment) else None


def _in_order(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children or [])


def _cut(
    html: str, placeholders: Placeholders, links: Sequence[str]
) -> Iterator[str | Slot | IfTag]:
    mark = rf"{placeholders.opening}([a-z])(\d+){placeholders.closing}"
    standing = re.compile(rf"<!--{mark}-->|{mark}")
    end = 0
    for found in standing.finditer(html):
        yield html[end : found.start()]
        kind, number = found[1] or found[3], int(found[2] or found[4])
        yield placeholders.tags[number] if kind == TAG else _slot(kind, number, placeholders, links)
        end = found.end()
    yield html[end:]


def _slot(kind: str, number: int, placeholders: Placeholders, links: Sequence[str]) -> Slot:
    if kind == AS_LINK:
        return Slot(SlotKind.LINK, links[number])
    if kind not in (IN_TEXT, IN_URL):
        return Slot(SlotKind(kind), "")
    source = placeholders.fields[number]
    for part in mail_parts_of(source):
        return Slot(SlotKind.FOOTER if part == FOOTER else SlotKind.UNSUBSCRIBE_URL, source)
    return Slot(SlotKind(kind), source)


def _check_all_stand(pieces: Sequence[str | Slot | IfTag], placeholders: Placeholders) -> None:
    """Raise a 400 for a merge field or tag that the parser dropped, as in a closing tag."""
    stand = [piece.template for piece in pieces if isinstance(piece, Slot)]
    for source in placeholders.fields:
        if not any(source in each for each in stand):
            raise _refused(f"{source} stands where HTML holds nothing; allowed is text")
    if sum(isinstance(piece, IfTag) for piece in pieces) < len(placeholders.tags):
        raise _refused("a tag stands where HTML holds nothing; allowed is between elements")


def _refused(problem: str) -> Refusal:
    return bad_input("html", problem, "bad_html")

"""Put the styles of a page at its elements, where every mail program reads them (contract §15).

``css-inline`` does it. It is told to load nothing; links to style sheets and imports are taken out
before, so that nobody's mail program follows them either.
"""

from typing import Final

import css_inline
import tinycss2
from justhtml import Element, Node, Text

from halo_engine.domain.errors import bad_input

#: What warnings call the things that are taken out.
LINKED: Final = "<link>"
IMPORTED: Final = "@import"

#: Declarations times elements: each may be written at each.
_MOST_WORK: Final = 300_000
_EVERYWHERE: Final = frozenset({"", "all", "screen"})
_INLINER: Final = css_inline.CSSInliner(
    load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True
)


def take_out_links(root: Node) -> list[str]:
    """Take links to style sheets and imports out of a page; return what was taken out."""
    taken = []
    for element in root.query("link, style"):
        assert isinstance(element, Element)
        if element.name == "style":
            taken += _mend_style(element)
        elif element.parent is not None:
            element.parent.remove_child(element)
            taken.append(LINKED)
    return taken


def inlined(html: str, root: Node) -> str:
    """Return a page with its styles at its elements; those that cannot be there stay on top.

    ``root`` is the page as it was read. Raises a 400 where that would be too much.
    """
    css = "".join(
        child.data or "" for style in root.query("style") for child in style.children or ()
    )
    if css.count(":") * len(root.query("*")) > _MOST_WORK:
        problem = "has too many styles for so many elements; allowed is less of either"
        raise bad_input("html", problem, "bad_html")
    return _INLINER.inline(html).replace("<style></style>", "")


def _mend_style(style: Element) -> list[str]:
    css = "".join(child.data or "" for child in style.children or ())
    rules = tinycss2.parse_stylesheet(css)
    kept = [rule for rule in rules if not _is_import(rule)]
    if len(kept) < len(rules):
        css = tinycss2.serialize(kept)
    media = style.attrs.pop("media", None) or ""
    if media.strip().lower() not in _EVERYWHERE:
        # css-inline 0.24 would take these rules for rules of every medium.
        css = f"@media {media}{{{css}}}"
    for child in list(style.children):
        style.remove_child(child)
    style.append_child(Text(css))
    return [IMPORTED] * (len(rules) - len(kept))


def _is_import(rule: tinycss2.ast.Node) -> bool:
    return isinstance(rule, tinycss2.ast.AtRule) and rule.lower_at_keyword == "import"

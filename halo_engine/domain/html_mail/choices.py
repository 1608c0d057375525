"""Check that a page is whole whichever of its parts are shown (contract §15).

A parser moves what may not stand in a table out of it, and the tags of a part stay behind. So the
page is read again without its parts, and with all of them: both must be what the pieces give.
"""

import re
from collections.abc import Iterator, Mapping

from justhtml import JustHTML

from halo_engine.domain.errors import bad_input
from halo_engine.domain.fields.if_blocks import IfTag, nested, shown_pieces
from halo_engine.domain.html_mail.placeholders import TAG, Placeholders

#: Where it stands, and rows that only a parser adds, make no difference to a reader.
_ALIKE = re.compile(r"\s+|<tbody>\s*</tbody>")


def check_choices(source: str, read: str, placeholders: Placeholders) -> None:
    """Raise a 400 unless choosing parts of ``source`` gives what choosing those of ``read`` gives.

    Both have placeholders for fields and tags.
    """
    asked = {tag.question.named: "set" for tag in placeholders.tags if tag.question is not None}
    for values in ({}, asked):
        whole = JustHTML(_chosen(source, placeholders, values), sanitize=False).to_html(
            pretty=False
        )
        if _ALIKE.sub("", whole) != _ALIKE.sub("", _chosen(read, placeholders, values)):
            problem = "a part between tags is moved elsewhere when it is read"
            allowed = "allowed are whole elements, in a table whole rows or what stands in a cell"
            raise bad_input("html", f"{problem}; {allowed}", "bad_html")


def _chosen(html: str, placeholders: Placeholders, values: Mapping[str, str]) -> str:
    return "".join(shown_pieces(nested(_cut(html, placeholders)), values))


def _cut(html: str, placeholders: Placeholders) -> Iterator[str | IfTag]:
    end = 0
    for found in re.finditer(
        rf"<!--{placeholders.opening}{TAG}(\d+){placeholders.closing}-->", html
    ):
        yield html[end : found.start()]
        yield placeholders.tags[int(found[1])]
        end = found.end()
    yield html[end:]

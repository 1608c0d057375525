"""The HTML of an email: pieces that a mail is put together from (contract §15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from halo_engine.domain.fields.if_blocks import IfBlock, IsSet
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.html_mail.placeholders import AS_LINK, IN_TEXT, IN_URL

#: Gmail shows no more of a page without being asked.
LONGEST_SHOWN: Final = 102_400

#: The marks of the page's own places.
TITLE: Final = "s"
TOP: Final = "p"
END: Final = "e"


class SlotKind(StrEnum):
    """How a value stands in a page: escaped, in a URL, or as one of the parts of a mail."""

    TEXT = IN_TEXT
    URL = IN_URL
    LINK = AS_LINK
    FOOTER = "footer"
    UNSUBSCRIBE_URL = "unsubscribe_url"
    TITLE = TITLE
    TOP = TOP
    END = END


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap in a page; ``template`` is the merge field, or the URL of a link."""

    kind: SlotKind
    template: str


Pieces = Sequence[str | Slot | IfBlock[str | Slot]]


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """The HTML of an email: its pieces in order, and the same content as a text template.

    ``taken_out`` names what would be loaded from elsewhere.
    """

    pieces: Pieces
    text: str
    taken_out: Sequence[str]
    asks: frozenset[MergeField | IsSet]

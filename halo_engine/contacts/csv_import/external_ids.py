"""Cells of a column of external IDs that name nobody (contract §2, CSV import).

Each would become a user so called, or make one contact of all the rows that have it.
"""

import re
from collections.abc import Sequence
from typing import Final

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.traits import check_external_id

#: What a line of totals begins with.
_TOTAL: Final = re.compile(
    r"(?:(?:(?:grand|sub)[ -]?)?totals?(?: \([^()]{1,40}\))?|sum|summe|gesamt(?:summe)?|somme|suma"
    r"|totale|totaal|total general|итого|合計|合计|总计):?",
    re.IGNORECASE,
)
#: What databases, programs and spreadsheets (`#N/A`, `#REF!`, `#NV`) write for nothing.
_NOTHING: Final = re.compile(
    r"\(?null\)?|<null>|\\N|none|nil|undefined|n/a|\[object object\]"
    r"|#(?:[^\s#]{1,12}[!?]|n/[abd]|nv|#+)",
    re.IGNORECASE,
)
#: A long number, as Excel shortens it in a column that is not formatted as text.
_SHORTENED: Final = re.compile(r"[0-9](?:[.,][0-9]{1,14})?[Ee]\+[0-9]{2,3}")
_MOST_WORDS: Final = 2

_TOTALS: Final = "is taken for a line of totals; a user so called has an email"
_NOTE: Final = "is taken for a note below the table; a user so called has other cells"


def read_external_id(cell: str, field: str) -> str:
    """Return the ID in a cell; raise a 400 if it can be nobody's."""
    if _NOTHING.fullmatch(cell):
        problem = (
            f"{shown(cell)} names nobody; words that mean an empty cell are said by --empty"
            " (in calls: empty)"
        )
        raise bad_input(field, problem, "bad_id")
    if _SHORTENED.fullmatch(cell):
        problem = (
            f"{shown(cell)} is a number that a spreadsheet has shortened; allowed are whole IDs, as"
            " a column has them that is formatted as text"
        )
        raise bad_input(field, problem, "bad_id")
    return check_external_id(cell, field)


def check_is_somebody(external_id: str, cells: Sequence[str], width: int) -> None:
    """Raise a 400 for a row without an email that is no contact's, but the end of a report."""
    if _TOTAL.fullmatch(external_id):
        raise _no_row(external_id, _TOTALS)
    words = len(external_id.split())
    is_text = words > _MOST_WORDS or (words > 1 and len(cells) == 1)
    if is_text and width > 1 and sum(1 for cell in cells if cell.strip()) == 1:
        raise _no_row(external_id, _NOTE)


def _no_row(external_id: str, problem: str) -> Refusal:
    return bad_input("row", f"{shown(external_id)} {problem}", "bad_row")

"""Writing CSV that a spreadsheet does not take for formulas (contract §2, CSV import)."""

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\0")


def write_csv(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Write ``rows`` to ``file``, which is open with ``newline=""``; None is an empty cell.

    Text that begins with ``=``, ``+``, ``-``, ``@``, tab or NUL gets an apostrophe before it.
    """
    writer = csv.writer(file)
    writer.writerows([_neutral(cell) for cell in row] for row in rows)


def _neutral(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell

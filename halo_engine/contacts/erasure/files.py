"""A file of contacts to erase: one identifier a line, erased page by page (contract §2, §18).

Each page is a transaction. After an interruption the same file is done again: whom it erased before
is unknown then, for nothing is kept about anybody who is erased.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from halo_engine.contacts.erasure.batches import (
    EraseContactsCall,
    ErasedContacts,
    ErasureNumbers,
)
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input
from halo_engine.domain.fields.traits import check_external_id

#: So many identifiers are erased in one transaction.
PAGE: Final = 100
#: An answer lists so many identifiers that name nobody; it counts all of them.
MOST_UNKNOWN_SHOWN: Final = 1000
#: In bytes: 255 characters, and blanks around them.
_LONGEST_LINE: Final = 4_000
_COUNTS: Final = ("contacts", "runs", "mails", "events", "suppressed")


class UnknownLine(Answer):
    """A line whose identifier names nobody."""

    line: int
    contact: str


class ErasedFile(ErasureNumbers):
    """What goes, or is gone. ``unknown`` counts identifiers that name nobody, ``unknown_lines``
    shows the first 1,000.
    """

    unknown: int
    unknown_lines: tuple[UnknownLine, ...]


class NamedLine(NamedTuple):
    """An identifier, and the line on which it stands first."""

    line: int
    contact: str


def read_identifiers(path: Path) -> list[NamedLine]:
    """Return the identifiers of a file, each once; blank lines are passed over.

    Raises 400 for a line that can be no identifier, OSError for a file that cannot be read.
    """
    found: dict[str, int] = {}
    with path.open("rb") as file:
        for number, line in _lines(file):
            where = f"line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise bad_input(where, "is not UTF-8; allowed is one contact a line") from None
            if text:
                found.setdefault(check_external_id(text, where), number)
    return [NamedLine(line, contact) for contact, line in found.items()]


def _lines(file: Any) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        yield number, line


def erase_each(
    erase: Callable[[EraseContactsCall], ErasedContacts],
    named: list[NamedLine],
    *,
    dry_run: bool = False,
    show: Callable[[int], object] = lambda _: None,
) -> ErasedFile:
    """Erase contacts page by page with ``erase``, or count them; ``show`` gets how many identifiers
    are done.
    """
    counts, active = Counter[str](), Counter[str]()
    unknown: list[UnknownLine] = []
    for start in range(0, len(named), PAGE):
        page = named[start : start + PAGE]
        call = EraseContactsCall(contacts=[each.contact for each in page], dry_run=dry_run)
        answer = erase(call)
        counts.update({name: getattr(answer, name) for name in _COUNTS})
        active.update(answer.active)
        unknown += [UnknownLine(**page[index]._asdict()) for index in answer.unknown]
        show(start + len(page))
    return ErasedFile.model_validate(
        {
            **{name: counts[name] for name in _COUNTS},
            "active": dict(sorted(active.items())),
            "unknown": len(unknown),
            "unknown_lines": tuple(unknown[:MOST_UNKNOWN_SHOWN]),
        }
    )

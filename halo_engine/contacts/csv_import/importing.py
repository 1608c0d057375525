"""CSV import: rows become contacts page by page, bad ones are reported by line (contract §2)."""

import io
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.calls import SentAt
from halo_engine.contacts.csv_import.lists import change_lists, check_lists
from halo_engine.contacts.csv_import.mapping import CellType, Target, field_of
from halo_engine.contacts.csv_import.page import BadCell, BadRow, CsvPage
from halo_engine.contacts.csv_import.rows import NOTHING_KNOWN, CsvOptions, Known, pages
from halo_engine.contacts.sending_order import sending_time
from halo_engine.contacts.writing.matching import PersonOutcomes, write_one_by_one
from halo_engine.contacts.writing.registry import not_registered
from halo_engine.contacts.writing.sources import CSV
from halo_engine.domain.answer import Answer
from halo_engine.domain.fields.catalogue import Entity
from halo_engine.sql.statements import statement
from halo_engine.tables import audience_fields
from halo_engine.work import Work

#: An answer lists so many bad rows, and so many bad cells; it counts all of them.
MOST_ERRORS_SHOWN: Final = 1000


class ImportCsvCall(CsvOptions):
    """A CSV file's text, and the field that each column maps to."""

    text: str
    sent_at: SentAt = None


class ImportCsvAnswer(Answer):
    """The result: ``bad`` counts the rows that were left out, ``errors`` shows the first 1,000.

    ``bad_cells`` and ``cell_errors`` do the same for cells that were left out of imported rows.
    """

    created: int
    updated: int
    bad: int
    errors: tuple[BadRow, ...]
    bad_cells: int = 0
    cell_errors: tuple[BadCell, ...] = ()
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Faults:
    """What was wrong with the rows so far: all counted, the first 1,000 shown."""

    bad: int = 0
    errors: list[BadRow] = field(default_factory=list)
    bad_cells: int = 0
    cell_errors: list[BadCell] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)

    def add(self, page: CsvPage) -> None:
        """Add those of the next page."""
        errors = sorted((*page.errors, *page.refused), key=lambda each: each.line)
        self.bad += len(errors)
        self.errors += errors[: MOST_ERRORS_SHOWN - len(self.errors)]
        self.bad_cells += len(page.cell_errors)
        self.cell_errors += page.cell_errors[: MOST_ERRORS_SHOWN - len(self.cell_errors)]
        self.warnings |= page.warnings

    def as_answer(self) -> dict[str, object]:
        """Return the fields of an answer."""
        return {
            "bad": self.bad,
            "errors": tuple(self.errors),
            "bad_cells": self.bad_cells,
            "cell_errors": tuple(self.cell_errors),
            "warnings": tuple(self.warnings),
        }


def import_csv(work: Work, call: ImportCsvCall) -> ImportCsvAnswer:
    """Import a file that is small enough for one transaction (contract §2, CSV import).

    Raises 400 for a mapping to no field, or of a column that the file lacks; nothing is written
    then. A bad row is an error of its own, and the others go in.
    """
    created = updated = 0
    sent_at = sending_time(work.org, call.sent_at)
    faults = Faults()
    file = io.StringIO(call.text, newline="")
    for page in pages(work.org, file, call, known_before(work, call)):
        outcomes = import_page(work, page, sent_at)
        created += outcomes.created
        updated += outcomes.updated
        faults.add(page)
    return ImportCsvAnswer.model_validate(
        {"created": created, "updated": updated, **faults.as_answer()}
    )


def known_before(work: Work, how: CsvOptions) -> Known:
    """Look up the registered types of custom fields that the mapping gives no type.

    Raises 400 for a list that does not exist.
    """
    fields = [field_of(each) for each in how.mapping.values()]
    check_lists(work, [each.key for each in fields if each.target is Target.LIST])
    untyped = [each.key for each in fields if each.type is CellType.AUTO]
    if not untyped:
        return NOTHING_KNOWN
    return Known(
        {row.key: row.type for row in work.connection.execute(_read_field_types(work, untyped))}
    )


@statement("read_field_types")
def _read_field_types(work: Work, field_keys: Collection[str]) -> Select[Any]:
    table = audience_fields
    return select(table.c.key, table.c.type).where(
        table.c.org_id == work.org_id,
        table.c.entity == Entity.CONTACT.value,
        table.c.key == any_(literal(list(field_keys), ARRAY(Text()))),
        table.c.type != "null",
    )


def import_page(work: Work, page: CsvPage, sent_at: datetime | None = None) -> PersonOutcomes:
    """Write a page in two statements, and lists in two more; note refused rows on the page.

    Rows match a contact by external ID, else by email, those of the same page included. New ones
    are seen at their sign-up, and ``user_created`` series react; changes are silent.
    """
    people = [replace(each, sent_at=sent_at) for each in page.people]
    outcomes = write_one_by_one(work, CSV, people)
    page.refused = [
        BadRow(line=line, code=refusal.code, message=refusal.message)
        for line, refusal in zip(page.lines, outcomes.refusals, strict=True)
        if refusal is not None
    ]
    changes = (
        (outcomes.ids[ordinal], each)
        for ordinal, each in page.list_changes.items()
        if outcomes.refusals[ordinal] is None
    )
    warnings = (*not_registered(sorted(outcomes.left_out)), *change_lists(work, changes))
    page.warnings.update(dict.fromkeys(warnings))
    return outcomes

"""Turns at an import: a worker makes contacts of page after page, for a few seconds (contract §12).

Each page is imported in one transaction, which also notes how far the import is, so each row is
done once.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from halo_engine.contacts.csv_import.importing import Faults, import_page, known_before
from halo_engine.contacts.csv_import.page import BadCell, BadRow, CsvPage, Start
from halo_engine.contacts.csv_import.rows import pages
from halo_engine.contacts.csv_import.uploads import rows
from halo_engine.contacts.csv_import.uploads.pieces import pieces_of, row_of
from halo_engine.contacts.csv_import.uploads.receiving import UploadOptions
from halo_engine.domain.errors import Refusal
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.tables.imports import UploadState
from halo_engine.work import Transact, Work


def stale_imports(connection: Connection) -> list[tuple[str, UUID]]:
    """Return the imports that no worker has touched for long: organisation's key and id of each."""
    return [(row.key, row.id) for row in connection.execute(rows.stale())]


def import_turn(transact: Transact, upload_id: UUID, is_over: Callable[[], bool]) -> bool:
    """Import pages of a file until it is done or the turn ``is_over``; return whether it is done.

    Of two workers at one import, one ends: each page is claimed by the rows done before it.
    """

    def opened(work: Work) -> tuple[Any, ...]:
        found = row_of(work, upload_id)
        return work.org, known_before(work, UploadOptions(**found["options"])), found

    org, known, found = transact(opened)
    if found["state"] != UploadState.RUNNING:
        return True
    how = UploadOptions.model_validate(found["options"])
    position = None if found["position"] is None else int(found["position"])
    start = Start(found["rows_done"], found["line"], position)
    source = pieces_of(transact, found)
    with closing(source.text(how.encoding)) as file:
        read = pages(org, file, how, known, start=start)
        while (page := _next(transact, upload_id, read)) is not None:
            write = partial(_import, upload_id=upload_id, page=page, bytes_read=source.tell())
            if not transact(write):
                return True
            # A page without rows is the last one.
            if page.size and is_over():
                return False
    return True


def _next(transact: Transact, upload_id: UUID, read: Iterator[CsvPage]) -> CsvPage | None:
    """Return the next page; None when there is none, and the import is over."""
    try:
        page = next(read, None)
    except Refusal as refusal:
        why = refusal.as_dict()
        transact(lambda work: _end(work, upload_id, UploadState.FAILED, why))
        return None
    if page is None:
        transact(lambda work: _end(work, upload_id, UploadState.FINISHED))
    return page


def _import(work: Work, upload_id: UUID, page: CsvPage, bytes_read: int) -> bool:
    """Import a page, and note it; return False if it was done before."""
    claimed = rows.claim_page(work, upload_id, page, bytes_read)
    kept = work.connection.execute(claimed).mappings().one_or_none()
    if kept is None:
        return False
    outcomes = import_page(work, page)
    faults = _faults(kept)
    faults.add(page)
    counted = rows.count_page(work, upload_id, outcomes.created, outcomes.updated, _as_kept(faults))
    work.connection.execute(counted)
    return True


def _faults(kept: RowMapping) -> Faults:
    return Faults(
        bad=kept["bad"],
        errors=[BadRow.model_validate(each) for each in kept["errors"]],
        bad_cells=kept["bad_cells"],
        cell_errors=[BadCell.model_validate(each) for each in kept["cell_errors"]],
        warnings=dict.fromkeys(kept["warnings"]),
    )


def _as_kept(faults: Faults) -> dict[str, Any]:
    return {
        "bad": faults.bad,
        "errors": [each.model_dump(mode="json") for each in faults.errors],
        "bad_cells": faults.bad_cells,
        "cell_errors": [each.model_dump(mode="json") for each in faults.cell_errors],
        "warnings": list(faults.warnings),
    }


def _end(work: Work, upload_id: UUID, state: UploadState, refused: Any = None) -> None:
    """Note that an import is over, and delete the file."""
    analyze_unknown(work.connection)
    work.connection.execute(rows.end(work, upload_id, state, refused))
    work.connection.execute(rows.delete_pieces(work, upload_id))

"""The versions of a definition: each save that changes it makes one (contract §18)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.writing import WrittenSeries, as_written
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_versions
from halo_engine.work import Work


@dataclass(frozen=True, slots=True)
class Author:
    """Who saves a definition, and how the call came in (command, task, http)."""

    by: str | None = None
    via: str | None = None


#: Of what was saved before versions were kept.
UNKNOWN: Final = Author()


def keep_version(
    work: Work, series_id: UUID, version: int, definition: SeriesDefinition, author: Author
) -> None:
    """Keep the version that this save makes."""
    row = {
        "automation_id": series_id,
        "version": version,
        "saved_at": work.now,
        "saved_by": author.by,
        "via": author.via,
        "definition": as_written(definition),
    }
    work.connection.execute(_keeping(work, row))


def keep_present(work: Work, series_id: UUID, written: WrittenSeries) -> None:
    """Keep the version that is saved, if code that keeps none saved it."""
    if written.definition is None:
        return
    row = {
        "automation_id": series_id,
        "version": written.version,
        "saved_at": written.updated_at,
        "definition": as_written(written.definition),
    }
    work.connection.execute(_keeping(work, row))


#: A row to show the statement with.
_SAMPLE: Final = {
    "automation_id": PARAMETERS["series_id"].sample,
    "version": 2,
    "saved_at": PARAMETERS["now"].sample,
    "saved_by": PARAMETERS["by"].sample,
    "via": "command",
    "definition": {},
}


@statement("keep_version", row=_SAMPLE)
def _keeping(work: Work, row: Mapping[str, Any]) -> Executable:
    return (
        insert(automation_versions).values({**row, "org_id": work.org_id}).on_conflict_do_nothing()
    )

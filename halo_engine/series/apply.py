"""Applying the definitions of a file: only what differs is saved, and all of it or nothing (§8)."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import SeriesDefinition
from halo_engine.series.differences import Change, differences
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.save import save_series
from halo_engine.series.surroundings import surroundings
from halo_engine.series.warnings import SeriesWarning, warnings_about
from halo_engine.series.written import load_written
from halo_engine.work import Work


class Result(StrEnum):
    """What applying a definition does to the series."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Applied(BaseModel):
    """One series of a file: what became of it, its status, the fields that are different, and what
    is worth a warning.
    """

    model_config = ConfigDict(frozen=True)

    series: str
    result: Result
    status: SeriesStatus
    changes: tuple[Change, ...]
    warnings: tuple[SeriesWarning, ...] = ()


def apply_definitions(
    work: Work,
    definitions: Mapping[str, SeriesDefinition],
    *,
    dry_run: bool = False,
    tracks_opens: bool | None = None,
) -> list[Applied]:
    """Save the definitions that differ from what is stored, and return what is different.

    Applying the same again changes nothing. A ``dry_run`` refuses what saving would refuse, and
    leaves nothing behind. ``tracks_opens``: whether opens are tracked, if the caller knows. Raises
    what ``save_series`` raises.
    """
    # Before the series are locked: it may take a look at everything that was counted.
    around = surroundings(work, definitions.values(), tracks_opens=tracks_opens)
    work = lock_series_for_change(work)
    stored = load_written(work, definitions)
    applied = []
    for key, definition in definitions.items():
        before = stored.get(key)
        changes = differences(before.definition if before else None, definition)
        status = before.status if before else SeriesStatus.DRAFT
        # One that this code cannot read is saved anew, whatever it was.
        is_read = before is None or before.definition is not None
        result = Result.CHANGED if changes or not is_read else Result.UNCHANGED
        result = result if before else Result.CREATED
        applied.append(
            Applied(
                series=key,
                result=result,
                status=status,
                changes=changes,
                warnings=tuple(warnings_about(definition, around)),
            )
        )
    changed = [each.series for each in applied if each.result is not Result.UNCHANGED]
    with work.connection.begin_nested() as savepoint:
        for key in changed:
            save_series(work, key, definitions[key])
        if dry_run:
            savepoint.rollback()
    return applied

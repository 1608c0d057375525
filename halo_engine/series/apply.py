"""Apply the definitions of a file: save those that differ, or none if one is refused (§8).

A file of many series is saved in parts: while a part is saved, no contact moves in any series.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from pydantic import BaseModel, ConfigDict

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import SeriesDefinition
from halo_engine.series.differences import Change, differences
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.orders import Ordered, in_order
from halo_engine.series.save import save_series
from halo_engine.series.surroundings import surroundings
from halo_engine.series.warnings import SeriesWarning, warnings_about
from halo_engine.series.written import load_written
from halo_engine.work import Transact, Work

#: How many series are saved in one transaction.
PART: Final = 50


class Result(StrEnum):
    """What applying a definition does to the series."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Applied(BaseModel):
    """One series of a file: the result, its status, the fields that differ, and warnings."""

    model_config = ConfigDict(frozen=True)

    series: str
    result: Result
    status: SeriesStatus
    changes: tuple[Change, ...]
    warnings: tuple[SeriesWarning, ...] = ()


def apply_in_parts(
    transact: Transact,
    definitions: Mapping[str, SeriesDefinition],
    *,
    dry_run: bool = False,
    tracks_opens: bool | None = None,
    sent_at: datetime | None = None,
) -> Iterator[list[Applied]]:
    """Apply the definitions of a file, ``PART`` of them in a transaction; yield the results of
    each.

    If there are several parts, all are tried before any is saved, so a refusal saves nothing. After
    any other error the parts that were yielded are saved, and applying the file again saves the
    rest. With ``sent_at``, an order that a later one overtook is a 409.
    """
    parts = [dict(part) for part in _parts(definitions.items())]

    def apply(part: Mapping[str, SeriesDefinition], *, only_try: bool) -> list[Applied]:
        def applying(work: Work) -> list[Applied]:
            with in_order(work, part, Ordered.DEFINITION, sent_at):
                return apply_definitions(work, part, dry_run=only_try, tracks_opens=tracks_opens)

        return transact(applying)

    if dry_run or len(parts) > 1:
        for part in parts:
            tried = apply(part, only_try=True)
            if dry_run:
                yield tried
    if not dry_run:
        yield from (apply(part, only_try=False) for part in parts)


def _parts(
    items: Iterable[tuple[str, SeriesDefinition]],
) -> Iterator[list[tuple[str, SeriesDefinition]]]:
    rest = iter(items)
    while part := list(islice(rest, PART)):
        yield part


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
    # Before the series are locked: it may read all event counts, which takes a while.
    around = surroundings(work, definitions.values(), tracks_opens=tracks_opens)
    work = lock_series_for_change(work)
    stored = load_written(work, definitions)
    applied = []
    for key, definition in definitions.items():
        before = stored.get(key)
        changes = differences(before.definition if before else None, definition)
        status = before.status if before else SeriesStatus.DRAFT
        # A stored series that this code cannot read is always saved again.
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

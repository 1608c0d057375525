"""Apply the definitions of a file: save those that differ, or none if one is refused (§8).

A file of many series is saved in parts: while a part is saved, no contact moves in any series.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.checking.preflight import condition_faults
from halo_engine.series.checking.surroundings import surroundings
from halo_engine.series.checking.warnings import SeriesWarning, warnings_about
from halo_engine.series.files.differences import Change, differences
from halo_engine.series.files.tokens import outdated, plan_token
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.orders import Ordered, in_order
from halo_engine.series.save import save_series
from halo_engine.series.versions import UNKNOWN, Author
from halo_engine.series.writing import WrittenSeries, load_written
from halo_engine.work import Transact, Work

#: How many series are saved in one transaction.
PART: Final = 50


class ApplyResult(StrEnum):
    """What applying a definition does to the series."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Saving:
    """Who saves definitions, and how: ``reschedule`` moves rows, ``token`` is that of the plan that
    the save has to be.
    """

    author: Author = UNKNOWN
    reschedule: bool = False
    token: str | None = None


#: Nobody says who, and no row moves.
SILENTLY: Final = Saving()


class Applied(Answer):
    """One series of a file: the result, its status, the fields that differ, and warnings.

    ``rescheduled`` is how many rows got another time, where that was asked for.
    """

    series: str
    result: ApplyResult
    status: SeriesStatus
    changes: tuple[Change, ...]
    warnings: tuple[SeriesWarning, ...] = ()
    rescheduled: int | None = None


def apply_in_parts(
    transact: Transact,
    definitions: Mapping[str, SeriesDefinition],
    saving: Saving = SILENTLY,
    *,
    dry_run: bool = False,
    tracks_opens: bool | None = None,
    sent_at: datetime | None = None,
    try_out: Transact | None = None,
) -> Iterator[list[Applied]]:
    """Apply the definitions of a file, ``PART`` of them in a transaction; yield the results of
    each.

    By the token of a plan all are saved in one transaction, as it said. If there are several
    parts, all are tried before any is saved, so a refusal saves nothing. After
    any other error the parts that were yielded are saved, and applying the file again saves the
    rest. With ``sent_at``, an order that a later one overtook is a 409. ``try_out`` runs the
    trials, if they need another transaction than ``transact`` makes.
    """
    parts = [dict(part) for part in _parts(definitions.items())]
    if saving.token is not None:
        parts = [dict(definitions)]

    def apply(part: Mapping[str, SeriesDefinition], *, only_try: bool) -> list[Applied]:
        def applying(work: Work) -> list[Applied]:
            with in_order(work, part, Ordered.DEFINITION, sent_at):
                return apply_definitions(
                    work, part, saving, dry_run=only_try, tracks_opens=tracks_opens
                )

        return (try_out or transact)(applying) if only_try else transact(applying)

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
    saving: Saving = SILENTLY,
    *,
    dry_run: bool = False,
    tracks_opens: bool | None = None,
) -> list[Applied]:
    """Save the definitions that differ from what is stored, and return what is different.

    Applying the same again changes nothing. A ``dry_run`` refuses what saving would refuse, and
    saves nothing. ``tracks_opens``: whether opens are tracked, if the caller knows. Raises 409 if
    this is not what its plan said, and what ``save_series`` raises.
    """
    # Before the series are locked: it may read all event counts, which takes a while.
    around = surroundings(work, definitions.values(), tracks_opens=tracks_opens)
    work = lock_series_for_change(work)
    stored = load_written(work, definitions)
    if saving.token is not None:
        versions = {key: each.version for key, each in stored.items()}
        if saving.token != plan_token(versions, definitions, reschedule=saving.reschedule):
            raise outdated()
    applied: dict[str, Applied] = {}
    for key, definition in definitions.items():
        before = stored.get(key)
        changes = differences(before.definition if before else None, definition)
        status = before.status if before else SeriesStatus.DRAFT
        applied[key] = Applied(
            series=key,
            result=result_of(before, changes),
            status=status,
            changes=changes,
            warnings=(*_unusable(definition), *warnings_about(definition, around)),
        )
    changed = [key for key, each in applied.items() if each.result is not ApplyResult.UNCHANGED]
    with work.connection.begin_nested() as savepoint:
        for key in changed:
            saved = save_series(
                work, key, definitions[key], saving.author, reschedule=saving.reschedule
            )
            if saving.reschedule:
                moved = {"rescheduled": saved.rescheduled}
                applied[key] = applied[key].model_copy(update=moved)
        if dry_run:
            savepoint.rollback()
    return [*applied.values()]


def result_of(stored: WrittenSeries | None, changes: Sequence[Change]) -> ApplyResult:
    """Return what a save with these changes does; what this code cannot read is always saved
    again.
    """
    if stored is None:
        return ApplyResult.CREATED
    return ApplyResult.CHANGED if changes or stored.definition is None else ApplyResult.UNCHANGED


def _unusable(definition: SeriesDefinition) -> Iterator[SeriesWarning]:
    """Warn of conditions that a draft may have, and an activation refuses."""
    for fault in condition_faults(definition.steps):
        step = definition.steps[int(fault.path[1])]
        message = f"{fault.problem}. It is saved; an activation is refused."
        place = f"steps.{step.key}.condition.value"
        yield SeriesWarning(code=fault.code, place=place, message=message)

"""Check definitions before they are saved: would an activation be refused, and why (§6, §8)?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import uuid4

from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.decisions import first_mail
from halo_engine.domain.series.definition import Series, SeriesDefinition, Step
from halo_engine.domain.times.instants import Instant
from halo_engine.series.checking.preflight import failing_checks
from halo_engine.series.checking.spans import longer_than_kept
from halo_engine.series.checking.surroundings import Surroundings, surroundings
from halo_engine.series.checking.warnings import SeriesWarning, warnings_about
from halo_engine.series.save import list_id
from halo_engine.series.writing import load_written
from halo_engine.work import Work


class Checked(Answer):
    """One series, what a save, an activation or a resumption would refuse, and what is worth a
    warning.
    """

    series: str
    status: SeriesStatus
    refusals: tuple[str, ...]
    warnings: tuple[SeriesWarning, ...]


class CheckedDefinition(Checked):
    """The same of a definition that is being written. ``first_mail_at`` is when somebody who
    entered now would get the first email; None where no step sends one.
    """

    first_mail_at: Instant | None


def check_definition(
    work: Work, key: str | None, definition: SeriesDefinition
) -> CheckedDefinition:
    """Return what would be refused if the definition were saved as series ``key`` and activated
    now; without a key it is a draft. Save nothing.
    """
    stored = load_written(work, [key]) if key is not None else {}
    status = stored[key].status if key in stored else SeriesStatus.DRAFT
    series = unsaved(work, key or "definition", definition, status)
    first = first_mail(series, work.now)
    checked = _with_save(work, check(work, series), definition)
    return CheckedDefinition(**dict(checked), first_mail_at=first)


def check_definitions(
    work: Work,
    definitions: Mapping[str, SeriesDefinition],
    *,
    tracks_opens: bool | None = None,
) -> list[Checked]:
    """Return what would be refused if the definitions were saved and activated now; save nothing.

    ``tracks_opens``: whether links and opens are tracked, if the caller knows. A list that does
    not exist is refused with a 400, as saving would refuse it.
    """
    stored = load_written(work, definitions)
    around = surroundings(work, definitions.values(), tracks_opens=tracks_opens)
    return [
        _with_save(
            work,
            check(
                work,
                unsaved(
                    work,
                    key,
                    definition,
                    stored[key].status if key in stored else SeriesStatus.DRAFT,
                ),
                around,
            ),
            definition,
        )
        for key, definition in definitions.items()
    ]


def _with_save(work: Work, checked: Checked, definition: SeriesDefinition) -> Checked:
    """Add what the save alone would refuse."""
    refusals = (*refused_by_save(work, checked.series, definition), *checked.refusals)
    return checked.model_copy(update={"refusals": refusals})


def refused_by_save(work: Work, key: str, definition: SeriesDefinition) -> tuple[str, ...]:
    """Return why a save would refuse a definition that is well written, whatever its series does:
    it counts events further back than they are kept (contract §24).
    """
    return tuple(each.message for each in longer_than_kept(work, key, definition))


def check(work: Work, series: Series, around: Surroundings | None = None) -> Checked:
    """Return every check of §8 that fails for a series, saved or not, and its warnings."""
    around = around or surroundings(work, [series])
    first = series.status is SeriesStatus.DRAFT
    return Checked(
        series=series.key,
        status=series.status,
        refusals=tuple(failing_checks(work, series, first_activation=first)),
        warnings=tuple(warnings_about(series, around)),
    )


def unsaved(
    work: Work, key: str, definition: SeriesDefinition, status: SeriesStatus = SeriesStatus.DRAFT
) -> Series:
    """Return the series that ``definition`` would make, with new random ids."""
    return _made(work, key, definition, status, {})


def as_if_saved(work: Work, before: Series, definition: SeriesDefinition) -> Series:
    """Return what a save would make of a series: it keeps its id, its steps those that they have,
    and what is gone is removed.
    """
    known = {step.key: step for step in before.steps_by_id.values()}
    made = _made(work, before.key, definition, before.status, known)
    gone = known.keys() - {step.key for step in definition.steps}
    return replace(
        made,
        id=before.id,
        version=before.version + 1,
        edited=before.status is not SeriesStatus.DRAFT,
        # Whom a surge held or discarded, a save does not forget.
        has_surges=before.has_surges or definition.settings.surge is not None,
        active_periods=before.active_periods,
        removed_steps=tuple(replace(known[key], removed=True) for key in sorted(gone)),
    )


def _made(
    work: Work,
    key: str,
    definition: SeriesDefinition,
    status: SeriesStatus,
    known: Mapping[str, Step],
) -> Series:
    return Series(
        id=uuid4(),
        key=key,
        status=status,
        kind=definition.kind,
        entry_trigger=definition.entry_trigger,
        audience_type=definition.audience_type,
        contact_type=definition.contact_type,
        subscription_id=list_id(work, key, definition.subscription),
        audience_filters=definition.audience_filters,
        settings=definition.settings,
        steps=tuple(_steps(definition, known)),
        hours=work.org.hours,
    )


def _steps(definition: SeriesDefinition, known: Mapping[str, Step]) -> Iterator[Step]:
    for position, step in enumerate(definition.steps):
        window = step.send_window if step.has_own_window else definition.settings.send_window
        yield Step(
            id=known[step.key].id if step.key in known else uuid4(),
            key=step.key,
            position=position,
            delay=step.delay,
            email=step.email,
            condition=step.condition,
            window=window if step.email else None,
            ignores_caps=step.ignore_caps,
            send_by=step.send_by,
        )

"""Check definitions before they are saved: what would an activation refuse (§6, §8)?"""

from collections.abc import Iterator, Mapping
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import Series, SeriesDefinition, Step
from halo_engine.series.preflight import failing_checks
from halo_engine.series.save import list_id
from halo_engine.series.surroundings import Surroundings, surroundings
from halo_engine.series.warnings import SeriesWarning, warnings_about
from halo_engine.series.written import load_written
from halo_engine.work import Work


class Checked(BaseModel):
    """One series, what an activation or a resumption would refuse, and what is worth a warning."""

    model_config = ConfigDict(frozen=True)

    series: str
    status: SeriesStatus
    refusals: tuple[str, ...]
    warnings: tuple[SeriesWarning, ...]


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
        check(
            work,
            unsaved(
                work, key, definition, stored[key].status if key in stored else SeriesStatus.DRAFT
            ),
            around,
        )
        for key, definition in definitions.items()
    ]


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
        steps=tuple(_steps(definition)),
        zone=work.org.zone,
    )


def _steps(definition: SeriesDefinition) -> Iterator[Step]:
    for position, step in enumerate(definition.steps):
        window = step.send_window if step.has_own_window else definition.settings.send_window
        yield Step(
            id=uuid4(),
            key=step.key,
            position=position,
            delay=step.delay,
            email=step.email,
            condition=step.condition,
            window=window if step.email else None,
        )

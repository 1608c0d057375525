"""A plan: what saving a definition would do, without saving it (contract §18)."""

from halo_engine.answers.plans.counts import Fate, counted
from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.fates import PlannedSave
from halo_engine.answers.plans.outside import Outside
from halo_engine.answers.plans.pages import PlannedContacts, page_of
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.checking.warnings import SeriesWarning
from halo_engine.series.files.apply import ApplyResult, result_of
from halo_engine.series.files.check import as_if_saved, check, refused_by_save, unsaved
from halo_engine.series.files.differences import Change, differences
from halo_engine.series.files.tokens import plan_token
from halo_engine.series.rescheduling import Retimed
from halo_engine.series.save import load_saved
from halo_engine.series.surges.automatic import foreseen
from halo_engine.series.writing import load_written
from halo_engine.work import Work


class Plan(Answer):
    """What a save would do; ``version`` is the one that it is planned against, 0 if there is none.

    ``refusals`` say why it could not be saved so. ``active`` counts who is in the series: each of
    them has one of the ``fates``. ``page`` has contacts if a fate was asked for.
    ``token`` makes a save do this or nothing. ``surge_at_most`` is how many a span of its surge
    takes then, also where the definition says ``auto``; None of a draft that does.
    """

    series: str
    status: SeriesStatus
    version: int
    token: str
    result: ApplyResult
    changes: tuple[Change, ...]
    refusals: tuple[str, ...]
    warnings: tuple[SeriesWarning, ...]
    active: int
    fates: tuple[Fate, ...]
    outside: Outside
    page: PlannedContacts | None = None
    surge_at_most: int | None = None


def plan(
    work: Work,
    key: str,
    definition: SeriesDefinition,
    *,
    reschedule: bool = False,
    fate: FateName | None = None,
    after: int | None = None,
    size: int = PAGE,
) -> Plan:
    """Return what saving ``definition`` as the series ``key`` would do; save nothing.

    With a ``fate``, a page of its contacts comes with it. Raises 409 for a series that this code
    cannot read, 400 for an unknown list.
    """
    stored = load_written(work, [key]).get(key)
    before = next(iter(load_saved(work, key)), None)
    saved = as_if_saved(work, before, definition) if before else unsaved(work, key, definition)
    planned = PlannedSave(
        saved,
        Retimed.by(work, before, saved) if reschedule and before else Retimed.none(saved, work.now),
    )
    changes = differences(stored.definition if stored else None, definition)
    checked = check(work, saved)
    is_active = saved.status is SeriesStatus.ACTIVE
    found, beside = counted(work, before or saved, planned)
    version = stored.version if stored else 0
    return Plan(
        series=key,
        status=saved.status,
        version=version,
        token=plan_token({key: version}, {key: definition}, reschedule=reschedule),
        result=result_of(stored, changes),
        changes=changes,
        refusals=(
            *refused_by_save(work, key, definition),
            *(checked.refusals if is_active else ()),
        ),
        warnings=checked.warnings,
        active=sum(each.contacts for each in found),
        fates=found,
        outside=beside if before else beside.model_copy(update={"matched_before": 0}),
        page=None if fate is None else page_of(work, planned, fate, after, size),
        surge_at_most=foreseen(work, before, saved) or saved.surge_at_most,
    )

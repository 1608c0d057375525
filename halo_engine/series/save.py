"""Save what a user wrote: validate it, then write the series' row and its steps (§3, §5, §11)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Executable, Insert, Select, Update, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.errors import Fault, bad_input, conflict, examined, together
from halo_engine.domain.fields.filter_groups import dump_groups
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.choices import too_many_filters, unknown_choices
from halo_engine.domain.series.definition import Series, SeriesDefinition, StepDefinition
from halo_engine.domain.series.settings import SINCE_THIS_VERSION, Settings
from halo_engine.domain.values import check_json
from halo_engine.series.catalogue import UnreadableDefinition, read_series
from halo_engine.series.checking.named_series import announce_named
from halo_engine.series.checking.preflight import refuse_unless_ready
from halo_engine.series.checking.spans import refuse_longer_than_kept
from halo_engine.series.completion import complete_finished
from halo_engine.series.early_gates import close_gates, open_gates
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.noting import note_series
from halo_engine.series.rebase import rebase_addresses, rebase_audience, rebase_seats
from halo_engine.series.rescheduling import reschedule_rows
from halo_engine.series.surges.automatic import foreseen
from halo_engine.series.surges.automatic import keep as keep_automatic
from halo_engine.series.surges.discards import rebase_discards
from halo_engine.series.versions import UNKNOWN, Author, keep_present, keep_version
from halo_engine.series.writing import load_written, written_gates
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_steps, automations, subscriptions
from halo_engine.work import Work


def parse_definition(key: str, data: object) -> SeriesDefinition:
    """Return the definition that ``data`` writes; a 400 has a line for each fault (§3)."""
    definition, faults = read_definition(key, data)
    if definition is None:
        raise together([each.refusal(f"series.{key}") for each in faults])
    return definition


def read_definition(key: str, data: object) -> tuple[SeriesDefinition | None, tuple[Fault, ...]]:
    """Return the definition that ``data`` writes, or None with everything that is wrong in it."""
    check_json(data, f"series.{key}")
    definition, faults = examined(SeriesDefinition, data)
    if definition is not None:
        faults = tuple(too_many_filters(definition)) or tuple(unknown_choices(definition))
    return (None, faults) if faults else (definition, ())


@dataclass(frozen=True, slots=True)
class Saved:
    """A series that was saved, its new version, and how many rows were rescheduled."""

    id: UUID
    version: int
    rescheduled: int


def save_series(
    work: Work,
    key: str,
    definition: SeriesDefinition,
    author: Author = UNKNOWN,
    *,
    reschedule: bool = False,
) -> Saved:
    """Save the series ``key``, new ones as drafts; nothing is half written.

    Each call makes a new version, so it is called only if the definition changes (contract §18).

    Recipients keep their rows, and without ``reschedule`` their ``scheduled_for``; a step that is
    gone is kept as removed for contacts who are at it. An active series must stay activatable
    (contract §5): else it is refused with the first failing check of §8. One that becomes
    ``manual`` with nobody in it is completed. What ``auto`` of a surge comes to is kept (§19).
    """
    work = lock_series_for_change(work)
    refuse_longer_than_kept(work, key, definition)
    before = _read_saved(work, key)
    if before is not None:
        keep_present(work, before.id, load_written(work, [key])[key])
    announce_named(work, definition)
    series_id = _save_row(work, key, definition)
    _save_steps(work, series_id, definition.steps)
    [saved] = load_saved(work, key)
    keep_version(work, series_id, saved.version, definition, author)
    if saved.status is SeriesStatus.ACTIVE:
        refuse_unless_ready(work, saved, first_activation=False)
    readable = before if isinstance(before, Series) else None
    keep_automatic(work, saved, foreseen(work, readable, saved))
    if before is not None:
        close_gates(work, readable, saved)
    moved = 0
    if reschedule and before is not None:
        moved = reschedule_rows(work, readable, saved)
    if before is not None:
        open_gates(work, [saved])
    if _differs(before, saved, _audience_of):
        rebase_audience(work, saved)
        rebase_discards(work, saved)
    if _differs(before, saved, _seats_of):
        rebase_seats(work, saved)
    if _differs(before, saved, _addresses_of):
        rebase_addresses(work, saved)
    if saved.status is not SeriesStatus.DRAFT:
        note_series(work, saved.id)
    complete_finished(work, [saved])
    return Saved(series_id, saved.version, moved)


def load_saved(work: Work, key: str) -> tuple[Series, ...]:
    """Return the series ``key`` as it is stored, in any state; nothing when there is none.

    One that this code cannot read is a 409 that says why.
    """
    found = _read_saved(work, key)
    if isinstance(found, UnreadableDefinition):
        why = f"{found.why[:1].upper()}{found.why[1:]}"
        raise conflict(
            "unreadable_series", f"{why}. Run the version that saved it, or save it again."
        )
    return () if found is None else (found,)


def _read_saved(work: Work, key: str) -> Series | UnreadableDefinition | None:
    found = read_series(
        work.connection, work.org_id, work.org.hours, statuses=list(SeriesStatus), keys=[key]
    )
    return found[0] if found else None


def _differs(
    before: Series | UnreadableDefinition | None, saved: Series, part: Callable[[Series], object]
) -> bool:
    """Return whether a part of the definition changed; if the old one cannot be read, assume so."""
    if isinstance(before, Series):
        return part(before) != part(saved)
    return before is not None


def _audience_of(series: Series) -> tuple[object, ...]:
    return series.audience_type, series.audience_filters, series.subscription_id


def _seats_of(series: Series) -> bool:
    return series.settings.one_per_company


def _addresses_of(series: Series) -> bool:
    return series.settings.one_per_address


def _save_row(work: Work, key: str, definition: SeriesDefinition) -> UUID:
    its_list = list_id(work, key, definition.subscription)
    series_id: UUID = work.connection.execute(_saving(work, key, definition, its_list)).scalar_one()
    return series_id


@statement("save_series")
def _saving(
    work: Work, series_key: str, definition: SeriesDefinition, list_id: UUID | None
) -> Executable:
    values = {
        "name": definition.name or series_key,
        "kind": definition.kind,
        "entry_trigger": definition.entry_trigger,
        "audience_type": definition.audience_type,
        "contact_type": definition.contact_type,
        "subscription_id": list_id,
        "audience_filters": dump_groups(definition.audience_filters),
        "settings": {**_stored(definition.settings), **written_gates(definition.steps)},
        "has_surges": definition.settings.surge is not None,
        "definition_ordered_at": work.now,
        "updated_at": work.now,
    }
    statement = insert(automations).values(
        org_id=work.org_id, key=series_key, status=SeriesStatus.DRAFT, created_at=work.now, **values
    )
    return statement.on_conflict_do_update(
        index_elements=[automations.c.org_id, automations.c.key],
        set_={
            **values,
            "version": automations.c.version + 1,
            # Who is held stays so, although the series has no surge any more.
            "has_surges": or_(automations.c.has_surges, statement.excluded.has_surges),
        },
    ).returning(automations.c.id)


def _stored(settings: Settings) -> dict[str, Any]:
    """Return the settings of a series as they are stored."""
    stored = settings.model_dump(mode="json")
    at_default = Settings().model_dump(mode="json", include=SINCE_THIS_VERSION)
    for name, value in at_default.items():
        if stored[name] == value:
            del stored[name]
    return stored


def list_id(work: Work, key: str, list_key: str | None) -> UUID | None:
    """Return the id of the list that the definition of series ``key`` names; a 400 if there is
    none.
    """
    if list_key is None:
        return None
    found: UUID | None = work.connection.execute(
        _find_list_of_series(work, list_key)
    ).scalar_one_or_none()
    if found is None:
        raise bad_input(f"series.{key}.subscription", f"there is no subscription list ‘{list_key}’")
    return found


@statement("find_list_of_series")
def _find_list_of_series(work: Work, list_key: str) -> Select[Any]:
    return select(subscriptions.c.id).where(
        subscriptions.c.org_id == work.org_id, subscriptions.c.key == list_key
    )


def _save_steps(work: Work, series_id: UUID, steps: Sequence[StepDefinition]) -> None:
    """Mark the steps that are gone, then write those that are there, in two statements.

    Steps are identified by key: one that comes back is the same step again.
    """
    work.connection.execute(_remove_steps(work, series_id, steps))
    if not steps:
        return
    work.connection.execute(_saving_steps(work, series_id, steps))


@statement("remove_steps")
def _remove_steps(work: Work, series_id: UUID, steps: Sequence[StepDefinition]) -> Update:
    table = automation_steps
    return (
        update(table)
        .where(
            table.c.org_id == work.org_id,
            table.c.automation_id == series_id,
            table.c.removed_at.is_(None),
            table.c.key.not_in([step.key for step in steps]),
        )
        .values(removed_at=work.now)
    )


#: The columns that say when a step's email may be sent.
_OF_MAIL: Final = ("has_own_window", "send_window", "ignore_caps", "send_by_seconds")


@statement("save_steps")
def _saving_steps(work: Work, series_id: UUID, steps: Sequence[StepDefinition]) -> Insert:
    table = automation_steps
    rows = [
        {"org_id": work.org_id, "automation_id": series_id, "position": n, **_step_row(step)}
        for n, step in enumerate(steps)
    ]
    statement = insert(table).values(rows)
    kept = ("position", "delay_seconds", "email", "condition_type", "condition_value")
    return statement.on_conflict_do_update(
        index_elements=[table.c.org_id, table.c.automation_id, table.c.key],
        set_={name: statement.excluded[name] for name in (*kept, *_OF_MAIL, "removed_at")},
    )


def _step_row(step: StepDefinition) -> Mapping[str, Any]:
    return {
        "key": step.key,
        "delay_seconds": int(step.delay.total_seconds()),
        "email": step.email.as_stored() if step.email else None,
        "condition_type": step.condition.type if step.condition else None,
        "condition_value": step.condition.value if step.condition else None,
        "has_own_window": step.has_own_window,
        "send_window": step.send_window.model_dump(mode="json") if step.send_window else None,
        "ignore_caps": step.ignore_caps,
        "send_by_seconds": int(step.send_by.total_seconds()) if step.send_by is not None else None,
    }

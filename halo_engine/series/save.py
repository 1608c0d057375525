"""Save what a user wrote: validate it, then write the series' row and its steps (§3, §5, §11)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.choices import unknown_choices
from halo_engine.domain.errors import Fault, bad_input, conflict, examined, together
from halo_engine.domain.filters import dump_groups
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series import Series, SeriesDefinition, StepDefinition
from halo_engine.domain.values import check_json
from halo_engine.series.catalogue import Unreadable, read_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.preflight import refuse_unless_ready
from halo_engine.series.rebase import rebase_audience, rebase_seats
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
        faults = tuple(unknown_choices(definition))
    return (None, faults) if faults else (definition, ())


def save_series(work: Work, key: str, definition: SeriesDefinition) -> UUID:
    """Save the series ``key``, new ones as drafts, and return its id; nothing is half written.

    Recipients keep their rows and their ``scheduled_for``; a step that is gone is kept as removed
    for contacts who are at it. An active series must stay activatable (contract §5): else it is
    refused with the first failing check of §8. One that becomes ``manual`` with nobody in it is
    completed.
    """
    work = lock_series_for_change(work)
    before = _read_saved(work, key)
    series_id = _save_row(work, key, definition)
    _save_steps(work, series_id, definition.steps)
    [saved] = load_saved(work, key)
    if saved.status is SeriesStatus.ACTIVE:
        refuse_unless_ready(work, saved, first_activation=False)
    if _differs(before, saved, _audience_of):
        rebase_audience(work, saved)
    if _differs(before, saved, _seats_of):
        rebase_seats(work, saved)
    complete_finished(work, [saved])
    return series_id


def load_saved(work: Work, key: str) -> tuple[Series, ...]:
    """Return the series ``key`` as it is stored, in whatever state; nothing when there is none.

    One that this code cannot read is a 409 that says why.
    """
    found = _read_saved(work, key)
    if isinstance(found, Unreadable):
        why = f"{found.why[:1].upper()}{found.why[1:]}"
        raise conflict(
            "unreadable_series", f"{why}. Run the version that saved it, or save it again."
        )
    return () if found is None else (found,)


def _read_saved(work: Work, key: str) -> Series | Unreadable | None:
    found = read_series(
        work.connection, work.org_id, work.org.zone, statuses=list(SeriesStatus), keys=[key]
    )
    return found[0] if found else None


def _differs(
    before: Series | Unreadable | None, saved: Series, part: Callable[[Series], object]
) -> bool:
    """Return whether a part of the definition changed; if the old one cannot be read, assume so."""
    if isinstance(before, Series):
        return part(before) != part(saved)
    return before is not None


def _audience_of(series: Series) -> tuple[object, ...]:
    return series.audience_type, series.audience_filters, series.subscription_id


def _seats_of(series: Series) -> bool:
    return series.settings.one_per_company


def _save_row(work: Work, key: str, definition: SeriesDefinition) -> UUID:
    values = {
        "name": definition.name or key,
        "kind": definition.kind,
        "entry_trigger": definition.entry_trigger,
        "audience_type": definition.audience_type,
        "contact_type": definition.contact_type,
        "subscription_id": list_id(work, key, definition.subscription),
        "audience_filters": dump_groups(definition.audience_filters),
        "settings": definition.settings.model_dump(mode="json"),
        "definition_ordered_at": work.now,
        "updated_at": work.now,
    }
    statement = insert(automations).values(
        org_id=work.org_id, key=key, status=SeriesStatus.DRAFT, created_at=work.now, **values
    )
    saved = statement.on_conflict_do_update(
        index_elements=[automations.c.org_id, automations.c.key], set_=values
    ).returning(automations.c.id)
    series_id: UUID = work.connection.execute(saved).scalar_one()
    return series_id


def list_id(work: Work, key: str, list_key: str | None) -> UUID | None:
    """Return the id of the list that the definition of series ``key`` names; a 400 if there is
    none.
    """
    if list_key is None:
        return None
    found: UUID | None = work.connection.execute(
        select(subscriptions.c.id).where(
            subscriptions.c.org_id == work.org_id, subscriptions.c.key == list_key
        )
    ).scalar_one_or_none()
    if found is None:
        raise bad_input(f"series.{key}.subscription", f"there is no subscription list ‘{list_key}’")
    return found


def _save_steps(work: Work, series_id: UUID, steps: Sequence[StepDefinition]) -> None:
    """Mark the steps that are gone, then write those that are there, in two statements.

    Steps are identified by key: one that comes back is the same step again.
    """
    table = automation_steps
    work.connection.execute(
        update(table)
        .where(
            table.c.org_id == work.org_id,
            table.c.automation_id == series_id,
            table.c.removed_at.is_(None),
            table.c.key.not_in([step.key for step in steps]),
        )
        .values(removed_at=work.now)
    )
    if not steps:
        return
    rows = [
        {"org_id": work.org_id, "automation_id": series_id, "position": n, **_step_row(step)}
        for n, step in enumerate(steps)
    ]
    statement = insert(table).values(rows)
    kept = ("position", "delay_seconds", "email", "condition_type", "condition_value")
    work.connection.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.org_id, table.c.automation_id, table.c.key],
            set_={
                name: statement.excluded[name]
                for name in (*kept, "has_own_window", "send_window", "removed_at")
            },
        )
    )


def _step_row(step: StepDefinition) -> Mapping[str, Any]:
    return {
        "key": step.key,
        "delay_seconds": int(step.delay.total_seconds()),
        "email": step.email.model_dump(mode="json") if step.email else None,
        "condition_type": step.condition.type if step.condition else None,
        "condition_value": step.condition.value if step.condition else None,
        "has_own_window": step.has_own_window,
        "send_window": step.send_window.model_dump(mode="json") if step.send_window else None,
    }

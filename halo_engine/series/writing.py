"""Read series back as a file would write them (scenario files, ``halo series``).

The engine's reading (``catalogue``) resolves send windows and lists. This one keeps them as the
user wrote them, so that what is shown can be saved again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import RowMapping, Select, and_, select

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.filter_groups import dump_groups
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import SeriesDefinition, StepDefinition
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_steps, automations, subscriptions
from halo_engine.work import Work

#: Where gates keep what ``filters`` and ``early`` say of their event: with the settings. A version
#: of the code that does not know them cannot read such a series and leaves it alone, instead of
#: opening its gates for any event (contract §21).
_GATES: Final = "event_gates"


@dataclass(frozen=True, slots=True)
class WrittenSeries:
    """A saved series, its definition as a file writes it, and when it changed.

    ``version`` counts the saves that changed it. ``definition`` is None if another version of the
    code saved it and this one cannot read it.
    """

    key: str
    status: SeriesStatus
    version: int
    definition: SeriesDefinition | None
    created_at: datetime
    updated_at: datetime
    activated_at: datetime | None


def load_written(work: Work, keys: Collection[str]) -> dict[str, WrittenSeries]:
    """Return those of the series ``keys`` that exist, by key, in two statements."""
    rows = work.connection.execute(_read_written_series(work, keys)).mappings()
    found = {row["id"]: row for row in rows}
    steps = _steps(work, found)
    return {row["key"]: _written(row, steps[id_]) for id_, row in found.items()}


@statement("read_written_series")
def _read_written_series(work: Work, series_keys: Collection[str]) -> Select[Any]:
    series, lists = automations, subscriptions
    is_list = and_(lists.c.org_id == series.c.org_id, lists.c.id == series.c.subscription_id)
    return (
        select(series, lists.c.key.label("subscription"))
        .select_from(series.outerjoin(lists, is_list))
        .where(series.c.org_id == work.org_id, series.c.key.in_(series_keys))
    )


def as_written(definition: SeriesDefinition) -> dict[str, Any]:
    """Return the definition as a file writes it: what is left at its default is left out."""
    written = tidied(definition.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    for step, data in zip(definition.steps, written.get("steps", ()), strict=False):
        # ``null`` means no window; an absent key means the series' window.
        if step.has_own_window:
            data.setdefault("send_window", None)
    return {**written, "entry_trigger": definition.entry_trigger.value}


def _steps(work: Work, series: Collection[UUID]) -> Mapping[UUID, list[RowMapping]]:
    rows = work.connection.execute(_read_written_steps(work, series)).mappings()
    grouped: dict[UUID, list[RowMapping]] = {id_: [] for id_ in series}
    for row in rows:
        grouped[row["automation_id"]].append(row)
    return grouped


@statement("read_written_steps")
def _read_written_steps(work: Work, series_ids: Collection[UUID]) -> Select[Any]:
    steps = automation_steps
    return (
        select(steps)
        .where(
            steps.c.org_id == work.org_id,
            steps.c.automation_id.in_(series_ids),
            steps.c.removed_at.is_(None),
        )
        .order_by(steps.c.position)
    )


def _written(row: RowMapping, steps: Sequence[RowMapping]) -> WrittenSeries:
    kept = ("kind", "entry_trigger", "audience_type", "contact_type", "subscription")
    settings, gates = read_gates(row["settings"])
    definition = {
        "name": None if row["name"] == row["key"] else row["name"],
        **{name: row[name] for name in kept},
        "audience_filters": row["audience_filters"],
        "settings": settings,
        "steps": [_step(step, gates) for step in steps],
    }
    return WrittenSeries(
        key=row["key"],
        status=SeriesStatus(row["status"]),
        version=row["version"],
        definition=readable(definition),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        activated_at=row["activated_at"],
    )


def readable(definition: object) -> SeriesDefinition | None:
    """Return the definition that was stored; None if this code cannot read it."""
    try:
        return SeriesDefinition.model_validate(definition)
    except (ValidationError, Refusal):
        return None


def _step(row: RowMapping, gates: Mapping[str, Any]) -> dict[str, Any]:
    step: dict[str, Any] = {"key": row["key"], "delay": row["delay_seconds"]}
    if row["email"] is not None:
        step["email"] = row["email"]
    else:
        said = {"type": row["condition_type"], "value": row["condition_value"]}
        step["condition"] = said | gates.get(row["key"], {})
    if row["has_own_window"]:
        step["send_window"] = row["send_window"]
    if row["send_by_seconds"] is not None:
        step["send_by"] = row["send_by_seconds"]
    if row["ignore_caps"]:
        step["ignore_caps"] = True
    return step


def tidied(written: dict[str, Any]) -> dict[str, Any]:
    """Return the definition with 7 for 7.0, as people write it."""
    return {key: _tidy(item) for key, item in written.items()}


def _tidy(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return tidied(value)
        case list():
            return [_tidy(item) for item in value]
    return value


def written_gates(steps: Iterable[StepDefinition]) -> dict[str, Any]:
    """Return what is stored beside the settings; nothing if no gate says more than its event."""
    gates = {step.key: said for step in steps if (said := _said(step))}
    return {_GATES: gates} if gates else {}


def _said(step: StepDefinition) -> dict[str, Any]:
    condition = step.condition
    if condition is None or not (condition.filters or condition.early):
        return {}
    return {"filters": dump_groups(condition.filters), "early": condition.early}


def read_gates(stored: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the settings that were stored, and what gates say by the keys of their steps."""
    settings = dict(stored)
    return settings, settings.pop(_GATES, {})

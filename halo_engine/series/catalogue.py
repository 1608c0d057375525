"""Read an organisation's series, ready to run.

Definitions change only under the exclusive lock of ``series.locks``. So what is read here under the
shared lock holds until the commit.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, select

from halo_engine.domain.errors import shown, validated
from halo_engine.domain.fields.filter_groups import parse_groups
from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    EntryTrigger,
    SeriesKind,
    SeriesStatus,
)
from halo_engine.domain.series.conditions import Condition
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.email import Email
from halo_engine.domain.series.settings import Settings
from halo_engine.domain.times.quiet_hours import Hours
from halo_engine.domain.times.surges import Pace
from halo_engine.domain.times.windows import SendWindow
from halo_engine.series.writing import read_gates
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_active_periods, automation_steps, automations

#: Series in these states still have something to do for a contact.
RUNNING = (SeriesStatus.ACTIVE, SeriesStatus.PAUSED, SeriesStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class UnreadableDefinition:
    """A stored series that this code cannot read: another version of it saved the definition.

    ``problem`` says why; the status and the trigger are as they are stored.
    """

    id: UUID
    key: str
    status: str
    entry_trigger: str
    problem: str

    @property
    def why(self) -> str:
        """The problem in a sentence that names the series."""
        return f"this version of the code cannot read series {shown(self.key)}: {self.problem}"


class _Narrowed(TypedDict, total=False):
    """Which series are read: in one of these states, of these ids, of these keys."""

    statuses: Collection[SeriesStatus]
    ids: Collection[UUID]
    keys: Collection[str]


def load_series(
    connection: Connection, org_id: UUID, hours: Hours, **narrowed: Unpack[_Narrowed]
) -> tuple[Series, ...]:
    """Return those of ``read_series`` that this code can read."""
    found = read_series(connection, org_id, hours, **narrowed)
    return tuple(each for each in found if isinstance(each, Series))


def read_series(
    connection: Connection,
    org_id: UUID,
    hours: Hours,
    *,
    statuses: Collection[SeriesStatus] = RUNNING,
    ids: Collection[UUID] | None = None,
    keys: Collection[str] | None = None,
) -> tuple[Series | UnreadableDefinition, ...]:
    """Return the organisation's series in order of creation, in three statements; one that cannot
    be read is returned as ``UnreadableDefinition``.

    ``statuses``, ``ids`` and ``keys`` narrow which; ``hours`` are the organisation's.
    """
    rows = connection.execute(_reading(org_id, statuses, ids, keys)).mappings()
    found = {row["id"]: row for row in rows}
    steps = _rows_by_series(connection.execute(_reading_steps(org_id, found.keys())).mappings())
    periods = _rows_by_series(connection.execute(_reading_periods(org_id, found.keys())).mappings())
    return tuple(_read(row, steps[id_], periods[id_], hours) for id_, row in found.items())


@statement("read_series", ids=None, keys=None, statuses=RUNNING)
def _reading(
    org_id: UUID,
    statuses: Collection[SeriesStatus],
    ids: Collection[UUID] | None,
    keys: Collection[str] | None,
) -> Select[Any]:
    wanted = [automations.c.org_id == org_id, automations.c.status.in_(statuses)]
    if ids is not None:
        wanted.append(automations.c.id.in_(ids))
    if keys is not None:
        wanted.append(automations.c.key.in_(keys))
    return select(automations).where(*wanted).order_by(automations.c.created_at, automations.c.id)


@statement("read_series_steps")
def _reading_steps(org_id: UUID, series_ids: Collection[UUID]) -> Select[Any]:
    return (
        select(automation_steps)
        .where(
            automation_steps.c.org_id == org_id,
            automation_steps.c.automation_id.in_(series_ids),
        )
        .order_by(automation_steps.c.position)
    )


@statement("read_series_periods")
def _reading_periods(org_id: UUID, series_ids: Collection[UUID]) -> Select[Any]:
    return select(automation_active_periods).where(
        automation_active_periods.c.org_id == org_id,
        automation_active_periods.c.automation_id.in_(series_ids),
    )


def _rows_by_series(rows: Iterable[RowMapping]) -> Mapping[UUID, list[RowMapping]]:
    grouped: dict[UUID, list[RowMapping]] = defaultdict(list)
    for row in rows:
        grouped[row["automation_id"]].append(row)
    return grouped


def _read(
    row: RowMapping, steps: Sequence[RowMapping], periods: Sequence[RowMapping], hours: Hours
) -> Series | UnreadableDefinition:
    try:
        return _series(row, steps, periods, hours)
    except Exception as error:  # noqa: BLE001 -- whatever a definition of another version raises
        problem = str(error).partition("\n")[0] or type(error).__name__
        return UnreadableDefinition(
            row["id"], row["key"], row["status"], row["entry_trigger"], problem
        )


def _series(
    row: RowMapping, steps: Sequence[RowMapping], periods: Sequence[RowMapping], hours: Hours
) -> Series:
    stored, gates = read_gates(row["settings"])
    settings = validated(Settings, stored, "settings")
    return Series(
        id=row["id"],
        key=row["key"],
        status=SeriesStatus(row["status"]),
        kind=SeriesKind(row["kind"]),
        entry_trigger=EntryTrigger(row["entry_trigger"]),
        audience_type=AudienceType(row["audience_type"]),
        contact_type=ContactTypeChoice(row["contact_type"]),
        subscription_id=row["subscription_id"],
        audience_filters=parse_groups(row["audience_filters"], "audience_filters"),
        settings=settings,
        steps=tuple(_step(step, settings, gates) for step in steps if not step["removed_at"]),
        removed_steps=tuple(_step(step, settings, {}) for step in steps if step["removed_at"]),
        version=row["version"],
        # If both have the same instant, the order is unknown: it counts as edited.
        edited=row["activated_at"] is not None and row["updated_at"] >= row["activated_at"],
        has_surges=row["has_surges"],
        auto_at_most=row["surge_at_most"],
        pace=Pace.stored(row["release_at_most"], row["release_within_seconds"]),
        active_periods=tuple((period["started_at"], period["ended_at"]) for period in periods),
        hours=hours,
    )


def _step(row: RowMapping, settings: Settings, gates: Mapping[str, Any]) -> Step:
    email = validated(Email, row["email"], "email") if row["email"] is not None else None
    condition = None
    if row["condition_type"]:
        said = {"type": row["condition_type"], "value": row["condition_value"]}
        condition = validated(Condition, said | gates.get(row["key"], {}), "condition")
    return Step(
        id=row["id"],
        key=row["key"],
        position=row["position"],
        delay=timedelta(seconds=row["delay_seconds"]),
        email=email,
        condition=condition,
        window=_window(row, settings) if email else None,
        ignores_caps=row["ignore_caps"],
        send_by=_seconds(row["send_by_seconds"]),
        removed=row["removed_at"] is not None,
    )


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _window(row: RowMapping, settings: Settings) -> SendWindow | None:
    """Return the window of an email step: its own, none when it says ``null``, else the series'
    (§5).
    """
    if not row["has_own_window"]:
        return settings.send_window
    return SendWindow.model_validate(row["send_window"]) if row["send_window"] else None

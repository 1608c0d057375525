"""The audit log: what operators changed, through which door (contract §12, Audit log).

A row is written in the transaction of its change, and never changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import Field, JsonValue
from sqlalchemy import Connection, Insert, Select, func, insert, literal, select

from halo_engine.contacts.calls import Call
from halo_engine.domain.answer import PAGE, Answer, PageLimit
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.operators.origin import Origin, Via
from halo_engine.organizations.settings import HIDDEN, SECRETS
from halo_engine.series.histories import complete_since
from halo_engine.sql.statements import statement
from halo_engine.tables import audit_log, organizations
from halo_engine.work import Work

#: The word that replaces a value that is too long, and that length in bytes.
_TOO_LONG: Final = "…"
_LONGEST: Final = 1_000
#: What is read as ``***``: of an organisation, and of a webhook endpoint.
_HIDDEN: Final = {*SECRETS, "secret"}

State = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """A change of ``target``: the state before and after, without long values.

    A contact is named only by its id, so nothing personal is left once it is erased.
    """

    target: str | None
    before: State = field(default_factory=dict)
    after: State = field(default_factory=dict)


def note(work: Work, origin: Origin, action: str, change: AuditedChange) -> None:
    """Write a row; ``action`` is the door's name."""
    work.connection.execute(_note(work, _row(origin, action, change)))


#: A row to show the statements with.
_SAMPLE: Final = {"by": "ann", "action": "series.pause", "target": "welcome"}


@statement("note_change", row=_SAMPLE)
def _note(work: Work, row: Mapping[str, Any]) -> Insert:
    return insert(audit_log).values({**row, "org_id": work.org_id, "at": work.now})


def note_everywhere(
    connection: Connection, origin: Origin, action: str, change: AuditedChange
) -> None:
    """Write a row for every organisation, about a change that concerns all of them."""
    connection.execute(_note_everywhere(_row(origin, action, change)))


@statement("note_change_everywhere", row=_SAMPLE)
def _note_everywhere(row: Mapping[str, Any]) -> Insert:
    values = [literal(value, audit_log.c[name].type) for name, value in row.items()]
    everybody = select(organizations.c.id, func.now(), *values)
    return insert(audit_log).from_select(["org_id", "at", *row], everybody)


def differences(before: State, after: State) -> tuple[State, State]:
    """Return the values that differ, before and after."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        {name: before[name] for name in names if name in before},
        {name: after[name] for name in names if name in after},
    )


def _row(origin: Origin, action: str, change: AuditedChange) -> dict[str, Any]:
    return {
        "by": origin.by,
        "via": origin.via.value,
        "action": action,
        "target": change.target,
        "address": origin.address,
        "request_id": origin.request_id,
        "before": _shown(change.before),
        "after": _shown(change.after),
    }


def _shown(state: State) -> dict[str, JsonValue] | None:
    """Return a state as it is recorded: without secrets and long values."""
    return {name: _value_shown(name, value) for name, value in state.items()} or None


def _value_shown(name: str, value: JsonValue) -> JsonValue:
    if value is not None and name in _HIDDEN:
        return HIDDEN
    return value if len(json.dumps(value)) <= _LONGEST else _TOO_LONG


class ListAuditCall(Call):
    """Which page of the audit log: ``limit`` rows, before the row ``after``."""

    after: int | None = Field(default=None, ge=1, lt=2**63)
    limit: PageLimit = PAGE


class AuditRow(Answer):
    """A change by an operator: who (``by``), how it came in (``via``), through which door, and
    what.
    """

    at: Instant
    by: str
    via: Via
    action: str
    target: str | None
    address: str | None
    request_id: str | None
    before: JsonValue
    after: JsonValue


class AuditPage(Answer):
    """A page of the log, newest first; ``next`` is the ``after`` of the page that follows.

    On the last page ``complete_since`` says that older rows are not kept any more (§24).
    """

    items: tuple[AuditRow, ...]
    next: int | None
    complete_since: Instant | None = None


def list_audit(work: Work, call: ListAuditCall) -> AuditPage:
    """Return a page of the organisation's audit log."""
    asked = _page_audit(work, call.after, call.limit + 1)
    rows = work.connection.execute(asked).mappings().all()
    page = rows[: call.limit]
    goes_on = len(rows) > call.limit
    return AuditPage(
        items=tuple(AuditRow.model_validate(dict(row)) for row in page),
        next=page[-1]["id"] if goes_on else None,
        complete_since=None if goes_on else complete_since(work, History.AUDIT),
    )


@statement("page_audit", after=None)
def _page_audit(work: Work, after: int | None, limit: int) -> Select[Any]:
    table = audit_log
    found = select(table).where(table.c.org_id == work.org_id)
    if after is not None:
        found = found.where(table.c.id < after)
    return found.order_by(table.c.id.desc()).limit(limit)

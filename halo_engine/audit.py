"""The audit log: what operators did, through which door, and what it changed."""

from enum import StrEnum
from typing import Any

from pydantic import JsonValue
from sqlalchemy import insert

from halo_engine.tables import audit_log
from halo_engine.work import Work


class Via(StrEnum):
    """The door that an operator came through."""

    COMMAND = "command"
    TASK = "task"


def note(
    work: Work,
    *,
    by: str,
    via: Via,
    action: str,
    target: str | None = None,
    before: JsonValue = None,
    after: JsonValue = None,
) -> None:
    """Write a row, in the transaction of what it is about.

    ``action`` is the task's name without ``halo.``. A contact is named by its id in ``target``;
    ``before`` and ``after`` hold no personal data.
    """
    row: dict[str, Any] = {
        "org_id": work.org_id,
        "at": work.now,
        "by": by,
        "via": via,
        "action": action,
        "target": target,
        "before": before,
        "after": after,
    }
    work.connection.execute(insert(audit_log).values(row))

"""Contacts as they are after they were written, read from the statement's rows (contract §2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from halo_engine.contacts.writing.bounds import too_large
from halo_engine.contacts.writing.sources import DOCUMENTS, TRAIT_COLUMNS
from halo_engine.domain.errors import Refusal
from halo_engine.sql.prepared import Rows

_OUTCOME = (
    "ordinal",
    "id",
    "external_id",
    "created",
    "promoted",
    "changed",
    "left_out",
    "oversize",
)
_INSTANTS = ("created_at", "updated_at", "first_seen", "last_seen", "last_contacted_at")
#: The columns of a contact that are returned only if they are asked for.
STORED = (*TRAIT_COLUMNS, *DOCUMENTS)


@dataclass(frozen=True, slots=True)
class WrittenContact:
    """A contact as it stands after the statement; ``ordinal`` is the person's index in the set.

    ``changed`` holds the keys of the fields that differ from before; ``stored`` the traits,
    ``custom_fields`` and ``context``, if they were asked for. ``left_out`` are custom fields of the
    set that were not registered. With an ``oversize`` nothing was written (``refusal``).
    """

    ordinal: int
    id: UUID
    external_id: str | None
    created: bool
    promoted: bool
    changed: Sequence[str]
    left_out: Sequence[str] | None
    oversize: int | None
    instants: Mapping[str, datetime | None]
    stored: Mapping[str, Any]

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing was written, if so: the contact's documents would be too large (§2)."""
        if self.oversize is None:
            return None
        return too_large("custom_fields and context together", self.oversize)


def read_written(rows: Rows, *, with_stored: bool = False) -> list[WrittenContact]:
    """Return the contacts that the rows are about."""
    return [
        WrittenContact(
            **{name: row[name] for name in _OUTCOME},
            instants={name: row[name] for name in _INSTANTS},
            stored={name: row[name] for name in STORED if with_stored},
        )
        for row in rows
    ]

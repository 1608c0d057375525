"""The contacts of one fate under a definition that is not saved, in pages."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from halo_engine.answers.joins import has_values
from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.fates import PlannedSave, fates
from halo_engine.domain.answer import Answer
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work


class PlannedContact(Answer):
    """A contact of one fate: at which step, until when it waits now, and until when by the save."""

    id: int
    contact_id: UUID
    external_id: str | None
    email: str | None
    name: str | None
    step: str
    exit_reason: ExitReason | None
    to: str | None
    due_before: Instant
    due_after: Instant


class PlannedContacts(Answer):
    """A page of the contacts of one fate; ``next`` is what to give as ``after`` for the next."""

    fate: FateName
    items: tuple[PlannedContact, ...]
    next: int | None


def page_of(
    work: Work, planned: PlannedSave, fate: FateName, after: int | None, size: int
) -> PlannedContacts:
    """Return the contacts of a fate ``after`` a recipient, in order of their rows."""
    keys = planned.step_keys
    rows = work.connection.execute(_page_fate(work, planned, fate, after, size + 1)).mappings()
    items = [
        PlannedContact(
            **{name: row[name] for name in PlannedContact.model_fields if name in row},
            step=keys[row["step_id"]],
            to=keys.get(row["next_id"]),
        )
        for row in rows
    ]
    following = items[size - 1].id if len(items) > size else None
    return PlannedContacts(fate=fate, items=tuple(items[:size]), next=following)


@statement("page_fate", fate=FateName.STAYS, after=None)
def _page_fate(
    work: Work, planned: PlannedSave, fate: FateName, after: int | None, limit: int
) -> Select[Any]:
    found, contact = fates(work, planned), end_users.alias("shown")
    page = (
        select(
            found.c.recipient_id.label("id"),
            found.c.end_user_id.label("contact_id"),
            contact.c.external_id,
            contact.c.email,
            contact.c.name,
            found.c.step_id,
            found.c.exit_reason,
            found.c.next_id,
            found.c.was_due.label("due_before"),
            found.c.due.label("due_after"),
        )
        .join(contact, has_values(contact, work.org_id, id=found.c.end_user_id))
        .where(found.c.fate == fate.value)
        .order_by(found.c.recipient_id)
        .limit(limit)
    )
    return page if after is None else page.where(found.c.recipient_id > after)

"""The recipients of a series, page by page: who is at which step, and what came of it (§1)."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from halo_engine.answers.contact_facts import named
from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.reasons import Status
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, automation_steps, end_users
from halo_engine.work import Work


class Recipient(Answer):
    """A contact at a step, in its ``number``-th enrollment.

    ``reason`` says why it was skipped or failed, ``exit_reason`` why it left.
    """

    id: int
    contact_id: UUID
    contact: str
    email: str | None
    step: str
    number: int
    status: Status
    reason: str | None
    exit_reason: ExitReason | None
    created_at: Instant
    scheduled_for: Instant
    finished_at: Instant | None


class RecipientPage(Answer):
    """A page of recipients; ``next`` is what to give as ``after`` for the page that follows."""

    items: tuple[Recipient, ...]
    next: int | None


def recipients(
    work: Work,
    series: Series,
    *,
    status: Status | None = None,
    after: int | None = None,
    size: int = PAGE,
) -> RecipientPage:
    """Return a page of the recipients of ``series``, the latest first; only those in ``status`` if
    it is given.
    """
    found = work.connection.execute(_page_recipients(work, series, status, after, size + 1))
    page = [Recipient.model_validate(dict(row)) for row in found.mappings()]
    return RecipientPage(
        items=tuple(page[:size]), next=page[size - 1].id if len(page) > size else None
    )


@statement("page_recipients", status=Status.PENDING, after=None)
def _page_recipients(
    work: Work, series: Series, status: Status | None, after: int | None, limit: int
) -> Select[Any]:
    table, steps, contact = automation_recipients, automation_steps, end_users
    found = select(table).where(table.c.org_id == work.org_id, table.c.automation_id == series.id)
    if status is not None:
        found = found.where(table.c.status == status)
    if after is not None:
        found = found.where(table.c.id < after)
    # The page is taken before the joins: a plan without statistics would join all rows.
    rows = found.order_by(table.c.id.desc()).limit(limit).subquery("page")
    return (
        select(
            *[rows.c[name] for name in Recipient.model_fields if name in rows.c],
            rows.c.end_user_id.label("contact_id"),
            rows.c.enrollment_number.label("number"),
            named(contact).label("contact"),
            contact.c.email,
            steps.c.key.label("step"),
        )
        .select_from(
            rows.join(steps, has_values(steps, work.org_id, id=rows.c.step_id)).join(
                contact, has_values(contact, work.org_id, id=rows.c.end_user_id)
            )
        )
        .order_by(rows.c.id.desc())
    )

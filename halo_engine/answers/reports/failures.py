"""Mails of a series that contacts did not get, and why (contract §5, §10)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Uuid,
    and_,
    any_,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.answers.joins import has_values
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.reasons import FailReason, SkipReason, Status
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.mail.reading.bounces import kind_of
from halo_engine.series.histories import complete_since
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    messages,
)
from halo_engine.work import Work

#: An answer about a contact names its latest failures, at most so many.
MOST_SHOWN: Final = 10

#: A row that was skipped for one of these should have sent an email.
_NOT_SENT: Final = (
    SkipReason.NO_EMAIL,
    SkipReason.UNSUBSCRIBED,
    SkipReason.QUIET_HOURS,
    SkipReason.TOO_LATE,
    SkipReason.FREQUENCY_CAP,
)

#: Builds the condition that selects rows, from a table with ``end_user_id`` and ``automation_id``.
_Which = Callable[[FromClause], ColumnElement[bool]]


class FailedMail(Answer):
    """A mail that a contact did not get: at ``step`` of its ``number``-th enrollment.

    ``reason`` is the mail server's text, or ``outcome_unknown`` (it may have arrived), or why the
    step was skipped. ``kind`` classifies a server's text. ``email`` is where the mail was to go.
    """

    id: int
    series: str
    step: str
    contact_id: UUID
    contact: str | None
    email: str | None
    number: int
    status: Status
    reason: str
    kind: BounceReason | None
    at: Instant


class FailurePage(Answer):
    """A page of them; ``next`` is what to give as ``after`` for the page that follows.

    On the last page ``complete_since`` says that steps or mails from before are not kept any more
    (§24).
    """

    failures: tuple[FailedMail, ...]
    next: int | None
    complete_since: Instant | None = None


def failures(
    work: Work, series: Series, *, after: int | None = None, size: int = PAGE
) -> FailurePage:
    """Return a page of mails of ``series`` that were not sent, the latest rows first."""
    found = _read(work, _page_failures(work, series, after, size + 1))
    goes_on = len(found) > size
    return FailurePage(
        failures=tuple(found[:size]),
        next=found[size - 1].id if goes_on else None,
        complete_since=None if goes_on else complete_since(work, History.STEPS, History.MAILS),
    )


def failures_of(
    work: Work, contacts: Sequence[UUID], series: Series | None = None
) -> Mapping[UUID, Sequence[FailedMail]]:
    """Return each contact's latest mails that it did not get, ``MOST_SHOWN`` at most; one
    statement.
    """
    found: dict[UUID, list[FailedMail]] = {}
    for each in _read(work, _latest_failures(work, contacts, series)):
        found.setdefault(each.contact_id, []).append(each)
    return found


@statement("page_failures", after=None)
def _page_failures(work: Work, series: Series, after: int | None, limit: int) -> Select[Any]:
    rows = _failed_rows(work, lambda table: table.c.automation_id == series.id)
    asked = _named(work, rows).order_by(rows.c.id.desc()).limit(limit)
    return asked if after is None else asked.where(rows.c.id < after)


@statement("find_latest_failures")
def _latest_failures(work: Work, contacts: Sequence[UUID], series: Series | None) -> Select[Any]:
    ids = any_(literal(list(contacts), ARRAY(Uuid())))

    def theirs(table: FromClause) -> ColumnElement[bool]:
        of_series = [] if series is None else [table.c.automation_id == series.id]
        return and_(table.c.end_user_id == ids, *of_series)

    rows = _failed_rows(work, theirs)
    rank = func.row_number().over(partition_by=rows.c.contact_id, order_by=rows.c.id.desc())
    ranked = select(rows, rank.label("rank")).subquery("ranked")
    latest = _named(work, ranked).where(ranked.c.rank <= MOST_SHOWN)
    return latest.order_by(ranked.c.id.desc())


def _failed_rows(work: Work, which: _Which) -> Subquery:
    """Return the rows that failed; for rows that re-enrollment deleted, the mails that failed."""
    return union_all(_rows(work, which), _cleared(work, which)).subquery("failed")


def _named(work: Work, each: FromClause) -> Select[Any]:
    """Add to the rows ``each`` the keys and addresses that an answer shows."""
    contact, series, steps = end_users, automations, automation_steps
    return select(
        each,
        series.c.key.label("series"),
        steps.c.key.label("step"),
        func.coalesce(contact.c.external_id, contact.c.email).label("contact"),
        func.coalesce(each.c.to_address, contact.c.email).label("email"),
    ).select_from(
        each.join(series, has_values(series, work.org_id, id=each.c.automation_id))
        .join(steps, has_values(steps, work.org_id, id=each.c.step_id))
        .join(contact, has_values(contact, work.org_id, id=each.c.contact_id))
    )


def _read(work: Work, asked: Select[Any]) -> list[FailedMail]:
    rows = work.connection.execute(asked).mappings()
    fields = FailedMail.model_fields
    return [
        FailedMail.model_validate(
            {**{name: row[name] for name in fields if name in row}, "kind": kind_of(row["reason"])}
        )
        for row in rows
    ]


def _rows(work: Work, which: _Which) -> Select[Any]:
    rows, mails = automation_recipients, messages
    failed = or_(
        rows.c.status == Status.FAILED,
        and_(rows.c.status == Status.SKIPPED, rows.c.reason.in_(_NOT_SENT)),
    )
    return (
        select(
            rows.c.id,
            rows.c.automation_id,
            rows.c.step_id,
            rows.c.end_user_id.label("contact_id"),
            rows.c.enrollment_number.label("number"),
            rows.c.status,
            rows.c.reason,
            rows.c.finished_at.label("at"),
            mails.c.to_address,
        )
        .select_from(rows.outerjoin(mails, has_values(mails, work.org_id, recipient_id=rows.c.id)))
        .where(rows.c.org_id == work.org_id, which(rows), failed)
    )


def _cleared(work: Work, which: _Which) -> Select[Any]:
    mails, rows = messages, automation_recipients
    return select(
        mails.c.recipient_id,
        mails.c.automation_id,
        mails.c.step_id,
        mails.c.end_user_id,
        mails.c.enrollment_number,
        literal(Status.FAILED.value),
        func.coalesce(mails.c.error, FailReason.OUTCOME_UNKNOWN.value),
        mails.c.intended_at,
        mails.c.to_address,
    ).where(
        mails.c.org_id == work.org_id,
        which(mails),
        mails.c.state.in_(["failed", "unknown"]),
        ~exists().where(has_values(rows, work.org_id, id=mails.c.recipient_id)),
    )

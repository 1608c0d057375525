"""Writes failed emails anew, page by page: those that their contacts would get today."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Select, Update, and_, select, update

from halo_engine.domain.errors import conflict, not_found
from halo_engine.domain.fields.merge_fields import MergeField
from halo_engine.domain.reasons import FailReason, SeriesStatus, Status
from halo_engine.domain.series.decisions import (
    DueFacts,
    Finish,
    Postpone,
    decide_step,
    exit_reason,
)
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.journey.claim import DueRow, Run
from halo_engine.journey.facts import gather_due
from halo_engine.mail.composing.message import mail_of_step
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.composing.values import fields_of_email, gather_kept_values, gather_values
from halo_engine.mail.sending.intent import mail_id
from halo_engine.mail.sending.letters import about
from halo_engine.mail.sending.retrying.retries import RetriedMail, RetryCall, Verdict
from halo_engine.mail.transports.transports import Mail, PermanentFailure
from halo_engine.series.lifecycle import find_series
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients
from halo_engine.work import Work

#: A page is checked once before it is sent; at a low rate a larger page would get stale.
_PAGE: Final = 10


_ADDRESS: Final = MergeField.of("email")


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failed row, and how its run ended if it did."""

    row: DueRow
    ended: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """An email that is written, and what is known of its recipient."""

    row: int
    address: str
    mail: Mail
    unknown: bool
    due: DueFacts


def _find(work: Work, call: RetryCall, series: Series, after: int) -> list[_Failed]:
    """Return the next page of failed rows; the lock keeps an erasure out until the commit."""
    found = work.connection.execute(_find_failed_mails(work, series, call, after))
    return [
        _Failed(
            DueRow(
                row.id,
                row.step_id,
                row.created_at,
                Run(row.end_user_id, series.id, row.enrollment_number),
            ),
            row.ended,
        )
        for row in found
    ]


@statement("find_failed_mails", call=RetryCall(series="welcome"), after=0)
def _find_failed_mails(work: Work, series: Series, call: RetryCall, after: int) -> Select[Any]:
    rows, runs = automation_recipients, automation_enrollments
    wanted = [rows.c.reason != FailReason.OUTCOME_UNKNOWN]
    if call.unknown:
        wanted = [rows.c.reason == FailReason.OUTCOME_UNKNOWN]
    elif call.reason is not None:
        wanted.append(rows.c.reason.icontains(call.reason, autoescape=True))
    if call.step is not None:
        steps = [step.id for step in series.steps_by_id.values() if step.key == call.step]
        if not steps:
            raise not_found("step", call.step)
        wanted.append(rows.c.step_id.in_(steps))
    of_run = and_(
        runs.c.org_id == rows.c.org_id,
        runs.c.automation_id == rows.c.automation_id,
        runs.c.end_user_id == rows.c.end_user_id,
        runs.c.number == rows.c.enrollment_number,
    )
    return (
        select(rows, runs.c.exit_reason.label("ended"))
        .select_from(rows.join(runs, of_run))
        .where(
            rows.c.org_id == work.org_id,
            rows.c.automation_id == series.id,
            rows.c.status == Status.FAILED,
            rows.c.id > after,
            *wanted,
        )
        .order_by(rows.c.id)
        .limit(_PAGE)
        .with_for_update(of=runs, read=True, key_share=True)
    )


def _series(work: Work, call: RetryCall) -> Series:
    series = find_series(work, call.series)
    if series.status not in (SeriesStatus.ACTIVE, SeriesStatus.COMPLETED):
        problem = f"The series is {series.status}; emails are sent again while it is active, or"
        raise conflict("not_running", f"{problem} when it is completed.")
    return series


def write_page(
    work: Work, *, call: RetryCall, sender: Sender, after: int
) -> list[Letter | RetriedMail]:
    """Write the emails of the page of rows ``after`` a recipient.

    For those that are held back or cannot be written, return why.
    """
    series = _series(work, call)
    page = _find(work, call, series, after)
    if not page:
        return []
    rows = [each.row for each in page]
    facts = gather_due(work.connection, work.org_id, work.moment, {series.id: series}, rows)
    emails = {due.step.id: due.step.email for due in facts}.values()
    fields = {_ADDRESS}.union(*(fields_of_email(email) for email in emails if email))
    values = gather_values(work, {row.run.contact_id for row in rows}, fields)
    kept = gather_kept_values(work, {due.run.key for due in facts}, fields)
    written: list[Letter | RetriedMail] = []
    for failed, due in zip(page, facts, strict=True):
        held = _held(work, failed, due)
        if held is not None:
            written.append(RetriedMail(failed.row.id, Verdict.HELD, held))
            continue
        try:
            said = {**values[due.run.contact_id], **kept.get(due.run.key, {})}
            letter = _letter(work, sender, due, said, unknown=call.unknown)
        except PermanentFailure as failure:
            if not call.unknown:
                change_row(work, failed.row.id, reason=failure.reason)
            written.append(RetriedMail(failed.row.id, Verdict.FAILED, failure.reason))
        else:
            written.append(letter)
    return written


def _held(work: Work, failed: _Failed, due: DueFacts) -> str | None:
    """Return why the email would not be sent today; None if it would (contract §5, §6)."""
    if failed.ended not in (None, ExitReason.COMPLETED):
        return failed.ended
    exits = exit_reason(due.run)
    if exits is not None:
        return exits
    match decide_step(due, work.now):
        case Postpone(why=why):
            return why
        case Finish(reason=reason):
            return reason
    return None


def _letter(
    work: Work, sender: Sender, due: DueFacts, values: Mapping[str, str], *, unknown: bool
) -> Letter:
    row, sender = due.recipient_id, sender.of(work.org)
    mail = mail_of_step(
        due.step,
        series=due.run.series,
        org=work.org,
        recipient_id=row,
        values=values,
        sender=sender,
        to=values[_ADDRESS.named],
        now=work.now,
    )
    envelope = sender.envelope(mail_id(work.org_id, row))
    mail = replace(mail, sender=envelope, about=about(work.org_id, due))
    return Letter(row, values[_ADDRESS.named], mail, unknown, due)


def change_row(work: Work, row: int, **values: object) -> None:
    """Change columns of a row that is still failed."""
    work.connection.execute(_change_failed_row(work, row, values))


@statement("change_failed_row", values={"reason": None})
def _change_failed_row(work: Work, row_id: int, values: Mapping[str, object]) -> Update:
    rows = automation_recipients
    return (
        update(rows)
        .where(rows.c.org_id == work.org_id, rows.c.id == row_id, rows.c.status == Status.FAILED)
        .values(**values)
    )

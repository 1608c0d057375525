"""The outcome of each intent to send (contract §9)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CollectionAggregate,
    ColumnElement,
    Delete,
    Executable,
    FromClause,
    Select,
    Update,
    any_,
    delete,
    exists,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.happenings import happened_to_mails, note_happenings
from halo_engine.mail.incoming.bounce_reports import noting_bounces
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_recipients, end_users, messages, sent_before
from halo_engine.tables.enrollments import IS_ACTIVE
from halo_engine.work import Organization, Work


class RowResult(StrEnum):
    """The outcome of one leased row."""

    SENT = "sent"
    #: It will never be sent.
    FAILED = "failed"
    #: It was not sent, but will be tried again later.
    RETRIED = "retried"
    #: It was handed over, but no answer came: the series' guarantee decides.
    UNKNOWN = "unknown"
    #: The mail server was down: no attempt is counted, and the row stays due.
    HELD = "held"
    #: The server broke off at this message: no attempt is counted, and others go first.
    SET_BACK = "set_back"
    #: It could not be written, so the mail server never saw it.
    FAULTY = "faulty"
    #: Frequency caps hold it back until an instant, or for good.
    CAPPED = "capped"
    CAPPED_OUT = "capped_out"
    #: It was not tried, since it may no longer be sent. The next tick decides again.
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a row; ``reason`` is set if it failed or will be tried again.

    ``bounce`` is what a refusal of the recipient means. ``relay_id`` is the server's own id for the
    message. ``until`` is how long caps hold it back.
    """

    recipient_id: int
    result: RowResult
    reason: str | None = None
    bounce: Bounce | None = None
    relay_id: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The send log's entry for a row: the message's state, and the error if it failed."""

    state: str
    error: str | None


_THIS: Final = (
    messages.c.org_id == parameter("org_id"),
    messages.c.recipient_id == parameter("row_id"),
)
#: States that become sent; ``unknown`` too, since the worker that sent it knows.
_IS_OPEN: Final = messages.c.state.in_(
    [literal_column("'intended'"), literal_column("'unknown'")],
)
#: A worker that was slow may have lost its row to another; then the intent is the other's.
_IS_NOBODY_ELSES: Final = ~exists().where(
    automation_recipients.c.org_id == messages.c.org_id,
    automation_recipients.c.id == messages.c.recipient_id,
    automation_recipients.c.lease_token != parameter("lease_token"),
)


@prepared("note_sent", kinds=frozenset())
def _noting_sent(kinds: Kinds) -> Executable:
    sent_at = func.coalesce(parameter("now"), func.clock_timestamp())
    noting = (
        update(messages)
        .where(*_THIS, _IS_OPEN)
        .values(state="sent", sent_at=sent_at, relay_id=parameter("relay_id"))
    )
    if not kinds:
        return noting
    sent = noting.returning(messages).cte("sent")
    happened = happened_to_mails(Happening.SENT, sent, sent.c.sent_at)
    told = note_happenings(parameter("org_id"), kinds, happened)
    return select(func.count()).select_from(sent).add_cte(*told)


@prepared("note_failed")
def _noting_failed() -> Update:
    return (
        update(messages)
        .where(*_THIS, _IS_OPEN, _IS_NOBODY_ELSES)
        .values(state="failed", error=parameter("error"))
    )


@prepared("withdraw_intent")
def _withdrawing() -> Delete:
    is_intended = messages.c.state == literal_column("'intended'")
    return delete(messages).where(*_THIS, is_intended, _IS_NOBODY_ELSES)


def noting(
    org: Organization, outcome: Outcome, now: datetime | None, token: UUID | None = None
) -> list[BoundStatement]:
    """Return the statements that record the outcome of an intent; none if the outcome is unknown.

    ``now`` is the time of the outcome, None the database's clock. A failure is not recorded if a
    token other than ``token`` leases the row: that worker may be sending a copy.
    """
    this = {"org_id": org.id, "row_id": outcome.recipient_id}
    match outcome.result:
        case RowResult.SENT:
            sent = {"now": now, "relay_id": outcome.relay_id}
            noting_sent = _noting_sent(org.webhook_kinds & {Happening.SENT})
            return [BoundStatement(noting_sent, {**this, **sent})]
        case RowResult.FAILED:
            failed = {"error": outcome.reason, "lease_token": token}
            bounced = {} if outcome.bounce is None else {outcome.recipient_id: outcome.bounce}
            reports = [noting_bounces(org.id, bounced, now)] if bounced else []
            return [BoundStatement(_noting_failed(), {**this, **failed}), *reports]
    return []


def withdrawing(org_id: UUID, recipient_id: int, token: UUID) -> BoundStatement:
    """Return the statement that deletes the intent of an email that was certainly not sent.

    It does nothing if another token leases the row: then the intent is another worker's.
    """
    asked = {"org_id": org_id, "row_id": recipient_id, "lease_token": token}
    return BoundStatement(_withdrawing(), asked)


def entries(work: Work, rows: Collection[int]) -> Mapping[int, LogEntry]:
    """Return the send log's entries for these rows, by row."""
    found = work.connection.execute(_read_mail_entries(work, rows))
    return {row.recipient_id: LogEntry(row.state, row.error) for row in found}


@statement("read_mail_entries")
def _read_mail_entries(work: Work, row_ids: Collection[int]) -> Select[Any]:
    return select(messages.c.recipient_id, messages.c.state, messages.c.error).where(
        messages.c.org_id == work.org_id, messages.c.recipient_id == _any_of(row_ids)
    )


def was_sent_before(work: Work, row_id: int) -> bool:
    """Return whether a row's email went out before the database was restored (decision 75)."""
    return work.connection.scalar(_find_sent_before(work, row_id)) is not None


@statement("find_sent_before")
def _find_sent_before(work: Work, row_id: int) -> Select[Any]:
    rows = automation_recipients
    return select(rows.c.id).where(
        rows.c.org_id == work.org_id, rows.c.id == row_id, is_sent_before(rows)
    )


def is_sent_before(rows: FromClause) -> ColumnElement[bool]:
    """Return whether the email of a row of ``rows`` went out before the database was restored."""
    before = sent_before
    return exists().where(
        before.c.org_id == rows.c.org_id,
        before.c.end_user_id == rows.c.end_user_id,
        before.c.automation_id == rows.c.automation_id,
        before.c.enrollment_number == rows.c.enrollment_number,
        before.c.step_id == rows.c.step_id,
    )


def give_up(work: Work, rows: Collection[int]) -> None:
    """Record that the outcome of these intents stays unknown."""
    work.connection.execute(_give_up_mails(work, rows))


@statement("give_up_mails")
def _give_up_mails(work: Work, row_ids: Collection[int]) -> Update:
    return (
        update(messages)
        .where(
            messages.c.org_id == work.org_id,
            messages.c.recipient_id == _any_of(row_ids),
            messages.c.state == "intended",
        )
        .values(state="unknown")
    )


def give_up_abandoned(work: Work) -> None:
    """Give up intents whose row ended before their outcome was recorded, for example by an exit."""
    work.connection.execute(_give_up_abandoned(work))


@statement("give_up_abandoned")
def _give_up_abandoned(work: Work) -> Update:
    return (
        update(messages)
        .where(
            messages.c.org_id == work.org_id,
            # A literal, not a parameter: it is the predicate of a partial index.
            messages.c.state == literal_column("'intended'"),
            ~exists().where(
                automation_recipients.c.org_id == messages.c.org_id,
                automation_recipients.c.id == messages.c.recipient_id,
                IS_ACTIVE,
            ),
        )
        .values(state="unknown")
    )


def stamp_contacted(work: Work, rows: Collection[int]) -> None:
    """Set ``last_contacted_at`` of the contacts to whom these rows' emails were sent."""
    work.connection.execute(_stamping(work, rows))


@statement("stamp_contacted")
def _stamping(work: Work, row_ids: Collection[int]) -> Update:
    latest = (
        select(messages.c.end_user_id, func.max(messages.c.sent_at).label("sent_at"))
        .where(
            messages.c.org_id == work.org_id,
            messages.c.recipient_id == _any_of(row_ids),
            messages.c.state == "sent",
        )
        .group_by(messages.c.end_user_id)
        .subquery("latest")
    )
    contacts = end_users
    return (
        update(contacts)
        .where(contacts.c.org_id == work.org_id, contacts.c.id == latest.c.end_user_id)
        .values(last_contacted_at=func.greatest(contacts.c.last_contacted_at, latest.c.sent_at))
    )


def _any_of(rows: Collection[int]) -> CollectionAggregate[Any]:
    return any_(literal(list(rows), ARRAY(BigInteger())))

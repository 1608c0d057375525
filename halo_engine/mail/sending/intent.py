"""Record the intent to send an email, if it may still be sent; committed before sending (§9)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from halo_engine.domain.reasons import AudienceType, SeriesKind, SeriesStatus, Status
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.frequency import FrequencyCaps
from halo_engine.journey.capped import caps_asked, is_over_a_cap
from halo_engine.mail.sending.outcomes import is_sent_before
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import BoundStatement, prepared
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automations,
    end_users,
    installation,
    messages,
    organizations,
    subscription_members,
    suppressions,
)
from halo_engine.work import Work

#: The instant of the intent.
_NOW: Final = func.coalesce(parameter("now"), func.clock_timestamp())


def mail_id(org_id: UUID, recipient_id: int) -> UUID:
    """Return the id of a row's email; it is always the same for the same row."""
    return uuid5(org_id, str(recipient_id))


def message_id_of(org_id: UUID, recipient_id: int, domain: str) -> str:
    """Return the Message-ID of a row's email."""
    return f"<{mail_id(org_id, recipient_id)}@{domain}>"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An email that is about to be sent: its row, the lease's token, its address.

    It gets ``message_id`` unless an earlier intent gave it another. ``caps`` are those that may
    hold it back; ``latest`` is until when it may be sent.
    """

    org_id: UUID
    recipient_id: int
    token: UUID
    address: str
    message_id: str
    caps: FrequencyCaps = ()
    latest: datetime | None = None


def intending(wanted: Wanted, now: datetime | None) -> BoundStatement:
    """Return the statement that records the intent and returns its ``message_id``.

    It returns no row, and records nothing, unless all of this holds: the token still leases the
    row; the run and the series are active; the contact still has this address, and it is not
    suppressed; the contact is on the list of a list series; sending is not stopped, here or
    everywhere; no cap is reached; it is not too late; the email did not go out before a restore.
    The caller holds the series lock, and where caps may hold it back that of the contact's mail
    (``capped.holding_mail``).

    An earlier intent keeps its Message-ID. The row stays locked, so an exit that is not yet
    committed comes after. ``now`` is the time of the intent, None the database's clock.
    """
    given = {
        "org_id": wanted.org_id,
        "row_id": wanted.recipient_id,
        "lease_token": wanted.token,
        "address": wanted.address,
        "message_id": wanted.message_id,
        "until": wanted.latest,
        "now": now,
    }
    if wanted.caps:
        return BoundStatement(_intent_within_caps(), {**given, **caps_asked(wanted.caps)})
    return BoundStatement(_intent(), given)


def intend_again(
    work: Work,
    recipient_id: int,
    address: str,
    message_id: str,
    *,
    unknown: bool,
    caps: FrequencyCaps = (),
    latest: datetime | None = None,
) -> str | None:
    """Record that a failed row's email is about to be sent after all; return its Message-ID.

    Return None and record nothing unless all of this holds: the run goes on or was completed; the
    email may still be sent, as for ``intending``; and the send log's state is failed (with
    ``unknown``: unknown), so nobody else is retrying it.
    """
    given = {
        "org_id": work.org_id,
        "row_id": recipient_id,
        "address": address,
        "message_id": message_id,
        "mail_state": "unknown" if unknown else "failed",
        "until": latest,
        "now": work.now,
    }
    if caps:
        given |= caps_asked(caps)
    statement = _intent_again_within_caps() if caps else _intent_again()
    intended = statement.rows(work.connection, given)
    return intended[0]["message_id"] if intended else None


@prepared("record_intent")
def _intent() -> ReturningInsert[str]:
    """Build the statement once: it runs for every single email."""
    return _intending_leased()


@prepared("record_intent_within_caps")
def _intent_within_caps() -> ReturningInsert[str]:
    return _intending_leased(~is_over_a_cap(automation_recipients, _NOW))


def _intending_leased(*held_too: ColumnElement[bool]) -> ReturningInsert[str]:
    rows = automation_recipients
    leased = _if_still_wanted(
        rows.c.lease_token == parameter("lease_token"),
        rows.c.lease_expires_at > func.clock_timestamp(),
        automation_enrollments.c.ended_at.is_(None),
        automations.c.status == SeriesStatus.ACTIVE,
        ~is_sent_before(rows),
        *held_too,
    )
    held = leased.with_for_update(read=True, of=rows)
    return _noted(held, messages.c.state != literal_column("'sent'"))


@prepared("record_intent_again")
def _intent_again() -> ReturningInsert[str]:
    return _intending_failed()


@prepared("record_intent_again_within_caps")
def _intent_again_within_caps() -> ReturningInsert[str]:
    return _intending_failed(~is_over_a_cap(automation_recipients, _NOW))


def _intending_failed(*held_too: ColumnElement[bool]) -> ReturningInsert[str]:
    rows, runs = automation_recipients, automation_enrollments
    failed = _if_still_wanted(
        rows.c.status == Status.FAILED,
        or_(runs.c.ended_at.is_(None), runs.c.exit_reason == ExitReason.COMPLETED),
        automations.c.status.in_([SeriesStatus.ACTIVE, SeriesStatus.COMPLETED]),
        *held_too,
    )
    # Locked for update: if two processes retry a row, the second waits and sees the first one's
    # record.
    held = failed.with_for_update(of=[runs, rows])
    return _noted(held, messages.c.state == parameter("mail_state"))


def _noted(wanted: Select[Any], may_be_again: ColumnElement[bool]) -> ReturningInsert[str]:
    columns = messages.c
    intent = insert(messages).from_select(
        [
            columns.org_id,
            columns.recipient_id,
            columns.end_user_id,
            columns.automation_id,
            columns.enrollment_number,
            columns.step_id,
            columns.to_address,
            columns.state,
            columns.message_id,
            columns.intended_at,
            columns.marketing,
        ],
        wanted,
        include_defaults=False,
    )
    again = intent.on_conflict_do_update(
        index_elements=[columns.org_id, columns.recipient_id],
        set_={
            "state": intent.excluded.state,
            "to_address": intent.excluded.to_address,
            "intended_at": intent.excluded.intended_at,
            "error": None,
            "marketing": intent.excluded.marketing,
        },
        where=may_be_again,
    )
    return again.returning(columns.message_id)


def _if_still_wanted(*held: ColumnElement[bool]) -> Select[Any]:
    """Select the row's email if it may be sent and the conditions ``held`` are true."""
    rows, runs = automation_recipients, automation_enrollments
    series, contacts = automations, end_users
    is_suppressed = exists().where(
        suppressions.c.org_id == contacts.c.org_id, suppressions.c.address == contacts.c.address
    )
    is_on_the_list = exists().where(
        subscription_members.c.org_id == contacts.c.org_id,
        subscription_members.c.end_user_id == contacts.c.id,
        subscription_members.c.subscription_id == series.c.subscription_id,
    )
    is_stopped = or_(
        exists().where(
            organizations.c.id == rows.c.org_id, organizations.c.sending_stopped_at.is_not(None)
        ),
        exists().where(installation.c.sending_stopped_at.is_not(None)),
    )
    of_run = and_(
        runs.c.org_id == rows.c.org_id,
        runs.c.end_user_id == rows.c.end_user_id,
        runs.c.automation_id == rows.c.automation_id,
        runs.c.number == rows.c.enrollment_number,
    )
    of_series = and_(series.c.org_id == rows.c.org_id, series.c.id == rows.c.automation_id)
    of_contact = and_(contacts.c.org_id == rows.c.org_id, contacts.c.id == rows.c.end_user_id)
    return (
        select(
            rows.c.org_id,
            rows.c.id,
            rows.c.end_user_id,
            rows.c.automation_id,
            rows.c.enrollment_number,
            rows.c.step_id,
            contacts.c.email,
            literal_column("'intended'"),
            parameter("message_id"),
            _NOW,
            series.c.kind == literal_column(f"'{SeriesKind.MARKETING}'"),
        )
        .select_from(rows.join(runs, of_run).join(series, of_series).join(contacts, of_contact))
        .where(
            rows.c.org_id == parameter("org_id"),
            rows.c.id == parameter("row_id"),
            *held,
            contacts.c.email == parameter("address"),
            or_(parameter("until").is_(None), parameter("until") >= _NOW),
            ~is_stopped,
            ~is_suppressed,
            or_(series.c.audience_type != AudienceType.SUBSCRIPTION, is_on_the_list),
        )
    )

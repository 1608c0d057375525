"""The send ledger: the outcome of each intent to send (contract §9)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CollectionAggregate,
    DateTime,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.contacts.bounce_reports import noting_bounces
from halo_engine.domain.bounces import Bounce
from halo_engine.prepared import Call, Prepared
from halo_engine.tables import automation_recipients, end_users, messages
from halo_engine.tables.enrollments import IS_ACTIVE
from halo_engine.tables.metadata import OrganizationId
from halo_engine.work import Work


class Result(StrEnum):
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
    #: It was not tried, since it may no longer be sent. The next tick decides again.
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a row; ``reason`` is set if it failed or will be tried again.

    ``bounce`` is what a refusal of the recipient means. ``relay_id`` is the server's own id for the
    message.
    """

    recipient_id: int
    result: Result
    reason: str | None = None
    bounce: Bounce | None = None
    relay_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's entry for a row: the message's state, and the error if it failed."""

    state: str
    error: str | None


_THIS: Final = (
    messages.c.org_id == bindparam("asked_org", type_=OrganizationId()),
    messages.c.recipient_id == bindparam("asked_row", type_=BigInteger()),
)
#: Also one that was given up as ``unknown``: its sender knows better.
_IS_OPEN: Final = messages.c.state.in_(
    [literal_column("'intended'"), literal_column("'unknown'")],
)
#: Another worker may have the row of a late worker by now; then the intent is the other's.
_IS_NOBODY_ELSES: Final = ~exists().where(
    automation_recipients.c.org_id == messages.c.org_id,
    automation_recipients.c.id == messages.c.recipient_id,
    automation_recipients.c.lease_token != bindparam("asked_token", type_=Uuid()),
)
_SENT: Final = Prepared(
    update(messages)
    .where(*_THIS, _IS_OPEN)
    .values(
        state="sent",
        sent_at=func.coalesce(
            bindparam("asked_now", type_=DateTime(timezone=True)), func.clock_timestamp()
        ),
        relay_id=bindparam("asked_relay_id", type_=Text()),
    )
)
_FAILED: Final = Prepared(
    update(messages)
    .where(*_THIS, _IS_OPEN, _IS_NOBODY_ELSES)
    .values(state="failed", error=bindparam("asked_error", type_=Text()))
)
_WITHDRAWN: Final = Prepared(
    delete(messages).where(
        *_THIS, messages.c.state == literal_column("'intended'"), _IS_NOBODY_ELSES
    )
)


def noting(
    org_id: UUID, outcome: Outcome, now: datetime | None, token: UUID | None = None
) -> list[Call]:
    """Return the calls that record the outcome of an intent; none if the outcome is unknown.

    ``now`` is the time of the outcome, None the database's clock. A failure is not recorded if a
    token other than ``token`` leases the row: that worker may be sending a copy.
    """
    this = {"asked_org": org_id, "asked_row": outcome.recipient_id}
    match outcome.result:
        case Result.SENT:
            sent = {"asked_now": now, "asked_relay_id": outcome.relay_id}
            return [Call(_SENT, {**this, **sent})]
        case Result.FAILED:
            failed = {"asked_error": outcome.reason, "asked_token": token}
            bounced = {} if outcome.bounce is None else {outcome.recipient_id: outcome.bounce}
            reports = [noting_bounces(org_id, bounced, now)] if bounced else []
            return [Call(_FAILED, {**this, **failed}), *reports]
    return []


def withdrawing(org_id: UUID, recipient_id: int, token: UUID) -> Call:
    """Return the call that takes back the intent of an email that was certainly not sent.

    It does nothing if another token leases the row: then the intent is another worker's.
    """
    asked = {"asked_org": org_id, "asked_row": recipient_id, "asked_token": token}
    return Call(_WITHDRAWN, asked)


def entries(work: Work, rows: Collection[int]) -> Mapping[int, Entry]:
    """Return the ledger's entries for these rows, by row."""
    found = work.connection.execute(
        select(messages.c.recipient_id, messages.c.state, messages.c.error).where(
            messages.c.org_id == work.org_id, messages.c.recipient_id == _any_of(rows)
        )
    )
    return {row.recipient_id: Entry(row.state, row.error) for row in found}


def give_up(work: Work, rows: Collection[int]) -> None:
    """Record that nobody will ever know whether these intents were sent."""
    work.connection.execute(
        update(messages)
        .where(
            messages.c.org_id == work.org_id,
            messages.c.recipient_id == _any_of(rows),
            messages.c.state == "intended",
        )
        .values(state="unknown")
    )


_ABANDONED: Final = (
    update(messages)
    .where(
        messages.c.org_id == bindparam("asked_org", type_=OrganizationId()),
        # Spelled out rather than bound: it is the predicate of a partial index.
        messages.c.state == literal_column("'intended'"),
        ~exists().where(
            automation_recipients.c.org_id == messages.c.org_id,
            automation_recipients.c.id == messages.c.recipient_id,
            IS_ACTIVE,
        ),
    )
    .values(state="unknown")
)


def give_up_abandoned(work: Work) -> None:
    """Give up intents whose row ended (by an exit, say) before their outcome was recorded."""
    work.connection.execute(_ABANDONED, {"asked_org": work.org_id})


def stamp_contacted(work: Work, rows: Collection[int]) -> None:
    """Set ``last_contacted_at`` of the contacts to whom these rows' emails were sent."""
    latest = (
        select(messages.c.end_user_id, func.max(messages.c.sent_at).label("sent_at"))
        .where(
            messages.c.org_id == work.org_id,
            messages.c.recipient_id == _any_of(rows),
            messages.c.state == "sent",
        )
        .group_by(messages.c.end_user_id)
        .subquery("latest")
    )
    contacts = end_users
    work.connection.execute(
        update(contacts)
        .where(contacts.c.org_id == work.org_id, contacts.c.id == latest.c.end_user_id)
        .values(last_contacted_at=func.greatest(contacts.c.last_contacted_at, latest.c.sent_at))
    )


def _any_of(rows: Collection[int]) -> CollectionAggregate[Any]:
    return any_(literal(list(rows), ARRAY(BigInteger())))

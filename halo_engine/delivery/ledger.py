"""The send ledger: what became of each intent to send (contract §9)."""

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
    """What became of one leased row."""

    SENT = "sent"
    #: It never will be sent.
    FAILED = "failed"
    #: It was not sent, and will be tried again later.
    RETRIED = "retried"
    #: It was handed over, and no answer came: the series' guarantee decides.
    UNKNOWN = "unknown"
    #: The mail server was down: nobody's attempt, and the row stays due.
    HELD = "held"
    #: The server broke off at this very message: nobody's attempt, and others go first.
    SET_BACK = "set_back"
    #: It could not be written: no attempt of the mail server's.
    FAULTY = "faulty"
    #: It was not tried: what allowed it no longer holds. The next tick decides anew.
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row, and why; ``reason`` is given when it failed or is tried again.

    ``bounce`` is what the server's refusal of the recipient means, ``relay_id`` what the server
    calls the message.
    """

    recipient_id: int
    result: Result
    reason: str | None = None
    bounce: Bounce | None = None
    relay_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of a row: the message's state, and the error of a failed one."""

    state: str
    error: str | None


_THIS: Final = (
    messages.c.org_id == bindparam("asked_org", type_=OrganizationId()),
    messages.c.recipient_id == bindparam("asked_row", type_=BigInteger()),
)
#: Also an intent that was given up as ``unknown``: who sent it knows better.
_IS_OPEN: Final = messages.c.state.in_(
    [literal_column("'intended'"), literal_column("'unknown'")],
)
#: A worker that was late may find its row with another one: the intent is that one's then.
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
    """Return the calls that write down what became of an intent; none when that is not known.

    ``now`` is when it is noted, None the database's clock. A failure is not noted where another
    ``token`` than this one leases the row: a copy of that worker's may be under way.
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
    """Return the call that takes back the intent of an email that certainly did not leave.

    Not where another token than this one leases its row: the intent is another worker's then.
    """
    asked = {"asked_org": org_id, "asked_row": recipient_id, "asked_token": token}
    return Call(_WITHDRAWN, asked)


def entries(work: Work, rows: Collection[int]) -> Mapping[int, Entry]:
    """Return what the ledger says of those of the rows that it knows."""
    found = work.connection.execute(
        select(messages.c.recipient_id, messages.c.state, messages.c.error).where(
            messages.c.org_id == work.org_id, messages.c.recipient_id == _any_of(rows)
        )
    )
    return {row.recipient_id: Entry(row.state, row.error) for row in found}


def give_up(work: Work, rows: Collection[int]) -> None:
    """Note that nobody will ever know whether these intents were sent."""
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
    """Give up intents whose row was ended, by an exit say, before their outcome was noted."""
    work.connection.execute(_ABANDONED, {"asked_org": work.org_id})


def stamp_contacted(work: Work, rows: Collection[int]) -> None:
    """Stamp the contacts to whom the emails of these rows were sent with the instant of sending."""
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

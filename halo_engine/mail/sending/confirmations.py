"""Mails that ask to confirm a list: which are due, the intent and the outcome of each (§9, §16)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Integer,
    Select,
    Text,
    Update,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from halo_engine.contacts.consent.pending import is_asked
from halo_engine.contacts.consent.suppression import namesakes, suppress
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.silent import tell
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.mail.composing.confirmation import Confirmation
from halo_engine.sql.parameters import parameter
from halo_engine.sql.prepared import prepared
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    confirmations,
    installation,
    organizations,
    subscriptions,
    suppressions,
)
from halo_engine.work import Work

_SUPPRESSED: Final = "the address gets no mail"


def due_confirmations(work: Work, limit: int) -> list[Confirmation]:
    """Return mails that are due, the first ones first; note those that a dead worker left as of
    unknown outcome.
    """
    work.connection.execute(_reap_confirmations(work))
    rows = work.connection.execute(_read_due_confirmations(work, limit)).mappings()
    return [Confirmation(**row) for row in rows]


@statement("reap_confirmations")
def _reap_confirmations(work: Work) -> Update:
    table = confirmations
    return (
        update(table)
        .where(
            table.c.org_id == work.org_id, table.c.state == "intended", table.c.due_at <= work.now
        )
        .values(state="unknown")
    )


@statement("read_due_confirmations")
def _read_due_confirmations(work: Work, limit: int) -> Select[Any]:
    mail, lists = confirmations, subscriptions
    is_list = and_(lists.c.org_id == mail.c.org_id, lists.c.id == mail.c.subscription_id)
    return (
        select(
            mail.c.id,
            lists.c.key,
            func.coalesce(lists.c.name, lists.c.key).label("name"),
            lists.c.description,
            mail.c.address,
            mail.c.attempts,
        )
        .join_from(mail, lists, is_list)
        .where(mail.c.org_id == work.org_id, mail.c.state == "waiting", mail.c.due_at <= work.now)
        .order_by(mail.c.due_at, mail.c.id)
        .limit(limit)
    )


def intend(work: Work, mail_id: int, message_id: str, lease: timedelta) -> bool:
    """Record the intent to send a mail that may still be sent; return whether it may.

    It may not if another worker has it, if sending is stopped, if nobody waits for it any more, or
    if its address bounced or complained. Who unsubscribed from everything may be asked.
    """
    given = {
        "org_id": work.org_id,
        "now": work.now,
        "row_id": mail_id,
        "message_id": message_id,
        "until": work.now + lease,
    }
    rows = _intending().rows(work.connection, given)
    return bool(rows) and rows[0]["state"] == "intended"


@prepared("intend_confirmation")
def _intending() -> ReturningUpdate[Any]:
    table, stop = confirmations, organizations
    is_stopped = or_(
        exists().where(stop.c.id == table.c.org_id, stop.c.sending_stopped_at.is_not(None)),
        exists().where(installation.c.sending_stopped_at.is_not(None)),
    )
    is_suppressed = exists().where(
        suppressions.c.org_id == table.c.org_id,
        suppressions.c.address == table.c.address,
        or_(suppressions.c.bounced_at.is_not(None), suppressions.c.complained_at.is_not(None)),
    )
    may = and_(is_asked(table), ~is_suppressed)
    state = case((~is_asked(table), "dropped"), (is_suppressed, "failed"), else_="intended")
    return (
        update(table)
        .where(
            table.c.org_id == ORG_ID,
            table.c.id == parameter("row_id"),
            table.c.state == "waiting",
            ~is_stopped,
        )
        .values(
            state=state,
            error=case((and_(is_asked(table), is_suppressed), _SUPPRESSED)),
            attempts=table.c.attempts + 1,
            message_id=func.coalesce(table.c.message_id, parameter("message_id")),
            intended_at=NOW,
            due_at=case((may, parameter("until")), else_=table.c.due_at),
        )
        .returning(table.c.state)
    )


@dataclass(frozen=True, slots=True)
class Noted:
    """The outcome of a mail: its new state, why, and when it is due again, if it is.

    ``tried`` says whether the attempt counts. ``bounced``: its address is suppressed for good.
    """

    mail: Confirmation
    state: str
    error: str | None = None
    due: datetime | None = None
    tried: bool = True
    bounced: bool = False


def note(work: Work, noted: Noted) -> None:
    """Record the outcome of a mail."""
    work.connection.execute(_note_confirmation(work, noted))
    if noted.bounced:
        given = [{"ordinal": 0, "address": noted.mail.address}]
        _suppressing().rows(work.connection, values_of(work, given))


@statement(
    "note_confirmation", noted=Noted(Confirmation(2_001, "news", "News", None, "a@b", 0), "sent")
)
def _note_confirmation(work: Work, noted: Noted) -> Update:
    table = confirmations
    return (
        update(table)
        .where(
            table.c.org_id == work.org_id,
            table.c.id == noted.mail.id,
            table.c.state.in_(["waiting", "intended"]),
        )
        .values(
            state=noted.state,
            error=noted.error,
            sent_at=work.now if noted.state == "sent" else null(),
            due_at=table.c.due_at if noted.due is None else literal(noted.due, table.c.due_at.type),
            attempts=table.c.attempts - (0 if noted.tried else 1),
        )
    )


@prepared("suppress_refused")
def _suppressing() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "address": Text()})
    return select(given).add_cte(
        suppress(given, suppressions.c.bounced_at),
        tell(namesakes(given).cte("concerned"), SUPPRESSION_KEY),
    )

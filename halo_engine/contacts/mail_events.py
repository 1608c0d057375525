"""What becomes of mails: opened, clicked, replied to (contract §2, §5, §6)."""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, Self

from pydantic import model_validator
from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    and_,
    func,
    select,
    true,
    update,
)
from sqlalchemy.sql.selectable import LateralFromClause

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import Noted, named_contacts, only
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.sending import written_now
from halo_engine.contacts.silent import MAIL_KEY, tell
from halo_engine.domain.errors import Refusal, bad_input, not_found, shown
from halo_engine.tables import automation_steps, automations, end_users, messages
from halo_engine.tables.metadata import arrivals
from halo_engine.work import Work


class MailEvent(StrEnum):
    """What can become of a mail: the column that keeps when.

    That is the first time that it was opened and clicked, and the latest time that it was replied
    to: a reply ends the run that is under way then, also if an earlier run sent the mail.
    """

    OPENED = "opened_at"
    CLICKED = "clicked_at"
    REPLIED = "replied_at"


class MailCall(Call):
    """A mail, by its Message-ID; or by contact, series and step: the latest of that step.

    ``contact`` is a ``user_id``, or an email where the contact has none.
    """

    contact: Identifier | None = None
    series: Identifier | None = None
    step: Identifier | None = None
    message_id: Identifier | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        names = {self.contact, self.series, self.step}
        if (None in names) if self.message_id is None else (names != {None}):
            problem = "allowed is either contact, series and step, or a message_id"
            raise bad_input("contact", problem, "bad_call")
        return self


def open_mail(work: Work, call: MailCall) -> Noted:
    """Note that a mail was opened (contract §5).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, MailEvent.OPENED), work, call)


def click_mail(work: Work, call: MailCall) -> Noted:
    """Note that a link in a mail was clicked; that is not to have opened it (contract §5).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, MailEvent.CLICKED), work, call)


def reply_to_mail(work: Work, call: MailCall) -> Noted:
    """Note that a mail was replied to; the contact was seen (contract §2, §6).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, MailEvent.REPLIED), work, call)


def note_all(event: MailEvent, work: Work, calls: Sequence[MailCall]) -> list[Noted | Refusal]:
    """Note what became of a set of mails, in one statement; unknown ones do not spoil the others.

    A mail whose outcome is unknown counts as sent: whoever opens it has it.
    """
    given = [{"place": place, **call.model_dump()} for place, call in enumerate(calls)]
    rows = work.connection.execute(_statement(event), values_of(work, given))
    return [_outcome(call, row) for call, row in zip(calls, rows, strict=True)]


def _outcome(call: MailCall, row: Row[Any]) -> Noted | Refusal:
    if row.end_user_id is not None:
        return Noted(id=row.end_user_id)
    if call.message_id is not None:
        return not_found("mail", call.message_id)
    if row.contact_id is None:
        return not_found("contact", str(call.contact))
    if row.series_id is None:
        return not_found("series", str(call.series))
    step = f"step {shown(call.step)} of {shown(call.series)}"
    return Refusal(404, "unknown_mail", f"No mail of {step} was sent to {shown(call.contact)}.")


@lru_cache(maxsize=len(MailEvent))
def _statement(event: MailEvent) -> Select[Any]:
    found = _found()
    mails = select(found).where(found.c.recipient_id.is_not(None)).cte("mails")
    changed = [MAIL_KEY]
    writes = [_stamp(event, mails)]
    if event is MailEvent.REPLIED:
        changed.append("last_seen")
        writes.append(_see(mails))
    concerned = select(mails.c.place, mails.c.end_user_id.label("contact_id")).cte("concerned")
    return select(found).order_by(found.c.place).add_cte(*writes, tell(concerned, *changed))


def _found() -> CTE:
    """Return a row for each call, with what it names as far as it was found."""
    names = ("contact", "series", "step", "message_id")
    given = given_rows({"place": Integer(), **dict.fromkeys(names, Text())})
    named = named_contacts(given)
    is_series = and_(automations.c.org_id == ORG_ID, automations.c.key == given.c.series)
    by_id = _mail("by_id", messages.c.message_id == given.c.message_id)
    by_step = _mail(
        "by_step",
        messages.c.end_user_id == named.c.contact_id,
        messages.c.automation_id == automations.c.id,
        messages.c.step_id.in_(_steps(given)),
    )
    return (
        select(
            given.c.place,
            named.c.contact_id,
            automations.c.id.label("series_id"),
            func.coalesce(by_id.c.recipient_id, by_step.c.recipient_id).label("recipient_id"),
            func.coalesce(by_id.c.end_user_id, by_step.c.end_user_id).label("end_user_id"),
        )
        .select_from(
            given.outerjoin(named, named.c.place == given.c.place)
            .outerjoin(automations, is_series)
            .outerjoin(by_id, true())
            .outerjoin(by_step, true())
        )
        .cte("found")
    )


def _mail(name: str, *conditions: ColumnElement[bool]) -> LateralFromClause:
    """Return the latest mail that meets the conditions and may have been sent."""
    return (
        select(messages.c.recipient_id, messages.c.end_user_id)
        .where(messages.c.org_id == ORG_ID, messages.c.state != "failed", *conditions)
        .order_by(messages.c.recipient_id.desc())
        .limit(1)
        .correlate_except(messages)
        .lateral(name)
    )


def _steps(given: FromClause) -> Select[Any]:
    """Return the series' steps of that key, removed ones too: their mails are still opened."""
    return (
        select(automation_steps.c.id)
        .where(
            automation_steps.c.org_id == ORG_ID,
            automation_steps.c.automation_id == automations.c.id,
            automation_steps.c.key == given.c.step,
        )
        .correlate(automations, given)
    )


def _stamp(event: MailEvent, mails: FromClause) -> CTE:
    noted = messages.c[event.value]
    values: dict[Any, Any] = {noted: func.coalesce(noted, NOW)}
    if event is MailEvent.REPLIED:
        values = {noted: NOW, messages.c.reply_arrival: arrivals.next_value()}
    return (
        update(messages)
        .where(
            messages.c.org_id == ORG_ID, messages.c.recipient_id.in_(select(mails.c.recipient_id))
        )
        .values(values)
        .cte("stamped")
    )


def _see(mails: FromClause) -> CTE:
    return (
        update(end_users)
        .where(end_users.c.org_id == ORG_ID, end_users.c.id.in_(select(mails.c.end_user_id)))
        .values(
            last_seen=func.greatest(end_users.c.last_seen, NOW),
            updated_at=written_now(end_users.c.updated_at),
        )
        .cte("seen")
    )

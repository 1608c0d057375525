"""Note that mails were opened, clicked or replied to (contract §2, §5, §6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, Self

from pydantic import Field, StrictBool, model_validator
from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
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
from halo_engine.contacts.finding import Noted, named_contacts, only, unknown_mail
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.contacts.sending_order import written_now
from halo_engine.contacts.silent import tell
from halo_engine.domain.errors import Refusal, bad_input, not_found, shown
from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.domain.series.triggers import MAIL_KEY
from halo_engine.domain.times.retention import History
from halo_engine.happenings import happened_to_mails, note_happenings
from halo_engine.series.histories import complete_since
from halo_engine.sql.metadata import INSTANT, arrivals
from halo_engine.sql.prepared import Rows, prepared
from halo_engine.tables import automation_steps, automations, end_users, messages
from halo_engine.work import Work


class MailEvent(StrEnum):
    """What can be done with a mail; the value is the column that stores when.

    For opens and clicks that is the first time, for replies the latest: a reply ends the run that
    is under way then, also if an earlier run sent the mail. What machines do is kept apart (§16).
    """

    OPENED = "opened_at"
    CLICKED = "clicked_at"
    REPLIED = "replied_at"
    MACHINE_OPENED = "machine_opened_at"
    MACHINE_CLICKED = "machine_clicked_at"


_OF_MACHINE: Final = {
    MailEvent.OPENED: MailEvent.MACHINE_OPENED,
    MailEvent.CLICKED: MailEvent.MACHINE_CLICKED,
}
#: What webhooks tell of: nothing that a machine did.
_HAPPENING: Final = {
    MailEvent.OPENED: Happening.OPENED,
    MailEvent.CLICKED: Happening.CLICKED,
    MailEvent.REPLIED: Happening.REPLIED,
}


class MailCall(Call):
    """A mail, by its Message-ID, or by contact, series and step (the latest mail of that step).

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


class ReadMailCall(MailCall):
    """A mail that was opened, or a link in it clicked."""

    machine: StrictBool = Field(
        default=False, description="Whether a machine did it, such as a scanner or a mail proxy."
    )


def open_mail(work: Work, call: ReadMailCall) -> Noted:
    """Note that a mail was opened (contract §5, §16).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, event_by(MailEvent.OPENED, machine=call.machine)), work, call)


def click_mail(work: Work, call: ReadMailCall) -> Noted:
    """Note that a link in a mail was clicked; it does not count as opened (contract §5, §16).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, event_by(MailEvent.CLICKED, machine=call.machine)), work, call)


def reply_to_mail(work: Work, call: MailCall) -> Noted:
    """Note that a mail was replied to; the contact was seen (contract §2, §6).

    Raises 404 for an unknown contact or series, and for a mail that was never sent.
    """
    return only(partial(note_all, MailEvent.REPLIED), work, call)


def event_by(event: MailEvent, *, machine: bool) -> MailEvent:
    """Return an open or a click as the event of whoever made it."""
    return _OF_MACHINE[event] if machine else event


def note_all(event: MailEvent, work: Work, calls: Sequence[MailCall]) -> list[Noted | Refusal]:
    """Note an event for a set of mails, in one statement; the unknown ones are refused, each alone.

    A mail whose outcome is unknown counts as sent: somebody who opens it has it. Where mails were
    deleted for their age, a refusal says so (§24).
    """
    given = [{"ordinal": ordinal, **call.model_dump()} for ordinal, call in enumerate(calls)]
    rows = _noted(event, work, given)
    is_unknown = any(row["end_user_id"] is None for row in rows)
    since = complete_since(work, History.MAILS) if is_unknown else None
    return [_outcome(call, row, since) for call, row in zip(calls, rows, strict=True)]


def note_mails(event: MailEvent, work: Work, mails: Sequence[tuple[str, datetime]]) -> None:
    """Note an event for mails, by Message-ID, each at its own instant, in one statement.

    Those that are unknown are passed over; of several instants of a mail the earliest counts.
    """
    earliest: dict[str, datetime] = {}
    for message_id, at in mails:
        earliest[message_id] = min(at, earliest.get(message_id, at))
    given = [
        {"ordinal": ordinal, "message_id": message_id, "at": at.isoformat()}
        for ordinal, (message_id, at) in enumerate(earliest.items())
    ]
    if given:
        _noted(event, work, given)


def _noted(event: MailEvent, work: Work, given: Sequence[Mapping[str, Any]]) -> Rows:
    kinds = work.org.webhook_kinds & {_HAPPENING[event]} if event in _HAPPENING else frozenset()
    return _statement(event, kinds).rows(work.connection, values_of(work, given))


def _outcome(call: MailCall, row: Mapping[str, Any], since: datetime | None) -> Noted | Refusal:
    if row["end_user_id"] is not None:
        return Noted(id=row["end_user_id"])
    if call.message_id is not None:
        return unknown_mail(f"There is no mail {shown(call.message_id)}.", since)
    if row["contact_id"] is None:
        return not_found("contact", str(call.contact))
    if row["series_id"] is None:
        return not_found("series", str(call.series))
    step = f"step {shown(call.step)} of {shown(call.series)}"
    return unknown_mail(f"No mail of {step} was sent to {shown(call.contact)}.", since)


@prepared("note_mail_event", event=MailEvent.REPLIED, kinds=frozenset())
def _statement(event: MailEvent, kinds: Kinds) -> Select[Any]:
    found = _found()
    mails = select(found).where(found.c.recipient_id.is_not(None)).cte("mails")
    stamped = _stamp(event, mails)
    writes = [stamped]
    if event in _HAPPENING:
        happened = happened_to_mails(_HAPPENING[event], stamped, stamped.c[event.value])
        writes += note_happenings(ORG_ID, kinds, happened)
        writes.append(_tell(event, mails))
    if event is MailEvent.REPLIED:
        writes.append(_see(mails))
    return select(found).order_by(found.c.ordinal).add_cte(*writes)


def _tell(event: MailEvent, mails: FromClause) -> CTE:
    changed = [MAIL_KEY, "last_seen"] if event is MailEvent.REPLIED else [MAIL_KEY]
    concerned = select(mails.c.ordinal, mails.c.end_user_id.label("contact_id")).cte("concerned")
    return tell(concerned, *changed)


def _found() -> CTE:
    """Return a row for each call, with the contact, series and mail as far as they were found."""
    names = ("contact", "series", "step", "message_id")
    given = given_rows({"ordinal": Integer(), **dict.fromkeys(names, Text()), "at": INSTANT})
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
            given.c.ordinal,
            func.coalesce(given.c.at, NOW).label("at"),
            named.c.contact_id,
            automations.c.id.label("series_id"),
            func.coalesce(by_id.c.recipient_id, by_step.c.recipient_id).label("recipient_id"),
            func.coalesce(by_id.c.end_user_id, by_step.c.end_user_id).label("end_user_id"),
        )
        .select_from(
            given.outerjoin(named, named.c.ordinal == given.c.ordinal)
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
    first = (
        select(mails.c.recipient_id, func.min(mails.c.at).label("at"))
        .group_by(mails.c.recipient_id)
        .subquery("first")
    )
    values: dict[Any, Any] = {noted: first.c.at}
    is_news: ColumnElement[bool] = noted.is_(None)
    if event is MailEvent.REPLIED:
        values[messages.c.reply_arrival] = arrivals.next_value()
        is_news = true()
    return (
        update(messages)
        .where(
            messages.c.org_id == ORG_ID,
            messages.c.recipient_id == first.c.recipient_id,
            is_news,
        )
        .values(values)
        .returning(messages)
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

"""Say which mails a restored database would send again, and keep it from doing so.

A mail that the database does not know is written into its log as sent, under the row that it was
of. Where that row is there, it is not sent again; where it was made after the backup, the run comes
to its step anew, and ``sent_before`` says that the mail went out (decision 75).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Executable,
    FromClause,
    Integer,
    Select,
    Text,
    TextClause,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import SeriesKind
from halo_engine.mail.sending.intent import mail_id
from halo_engine.mail.transports.recording import Sent
from halo_engine.mail.transports.transports import About
from halo_engine.restoring.lists import Lists
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import named, statement
from halo_engine.tables import (
    automation_recipients,
    automation_steps,
    automations,
    confirmations,
    end_users,
    installation,
    messages,
    organizations,
    sent_before,
)
from halo_engine.tables.enrollments import IS_ACTIVE

#: So many mails are looked up at a time.
_PAGE: Final = 5_000
_FIRST_NUMBER_AFTER: Final = 1_000
_RECENT: Final = timedelta(days=7)


#: What statements are shown with.
SAMPLE: Final = (
    Sent(
        PARAMETERS["message_id"].sample,
        PARAMETERS["sent_at"].sample,
        About(
            PARAMETERS["org_id"].sample,
            PARAMETERS["row_id"].sample,
            PARAMETERS["contact_id"].sample,
            PARAMETERS["series_id"].sample,
            1,
            PARAMETERS["step_id"].sample,
        ),
    ),
)


class Fate(StrEnum):
    """What the database knows of a mail that went out."""

    #: It has it as sent, or as failed.
    KNOWN = "known"
    #: It has the intent, and no outcome.
    OPEN = "open"
    #: It does not have it, and would send it again.
    AGAIN = "again"
    #: Its contact is not there: if it comes again, so does the mail.
    NOBODY = "nobody"
    #: Its organisation is not there: erased, moved, or made after the backup.
    ELSEWHERE = "elsewhere"


class Checked(Answer):
    """What came of a check. ``known_until`` is the last sign of life in the database: what happened
    between it and ``sent_until``, the last mail, is not known to it.

    ``addresses_unsure`` counts the contacts that got mail in between: they may have unsubscribed,
    bounced or complained since. ``applied`` says whether it was written into the database.
    """

    known_until: datetime | None
    sent_until: datetime | None
    mails: Mapping[Fate, int]
    addresses_unsure: int
    applied: bool


def check(connection: Connection, lists: Lists, *, apply: bool) -> Checked:
    """Compare the lists with the database; with ``apply`` write what it does not know into it."""
    sent = [*lists.sent, *_named(connection, lists.message_ids)]
    counts = dict.fromkeys(Fate, 0)
    unsure: set[UUID] = set()
    for page in _pages(sent):
        fates = _fates(connection, page)
        for each, fate in zip(page, fates, strict=True):
            counts[fate] += 1
            if fate in (Fate.OPEN, Fate.AGAIN) and each.about.contact_id is not None:
                unsure.add(each.about.contact_id)
        if apply:
            _apply(connection, page, fates)
    if apply and sent:
        highest = max(each.about.row_id for each in sent)
        connection.execute(_raise_numbers(highest + _FIRST_NUMBER_AFTER))
    return Checked(
        known_until=connection.scalar(_LAST_SIGN),
        sent_until=max((each.at for each in sent), default=None),
        mails=counts,
        addresses_unsure=len(unsure),
        applied=apply,
    )


def is_behind(connection: Connection, last: Sequence[Sent], now: datetime) -> bool:
    """Return whether the database does not know the last mail that a file names, although its
    contact is there: then it was restored. Old mails say nothing: logs are not kept for ever.
    """
    recent = [each for each in last if each.about.step_id is not None and each.at > now - _RECENT]
    fates = _fates(connection, recent[-_PAGE:]) if recent else []
    known = [fate for fate in fates if fate not in (Fate.NOBODY, Fate.ELSEWHERE)]
    return bool(known) and known[-1] is Fate.AGAIN


def _pages(sent: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
    for start in range(0, len(sent), _PAGE):
        yield sent[start : start + _PAGE]


def _given(sent: Sequence[Sent]) -> FromClause:
    abouts = [each.about for each in sent]
    return rows_of(
        "given",
        {
            "org_id": (Uuid(), [each.org_id for each in abouts]),
            "row_id": (BigInteger(), [each.row_id for each in abouts]),
            "contact_id": (Uuid(), [each.contact_id for each in abouts]),
            "series_id": (Uuid(), [each.series_id for each in abouts]),
            "number": (Integer(), [each.run_number for each in abouts]),
            "step_id": (Uuid(), [each.step_id for each in abouts]),
            "message_id": (Text(), [each.message_id for each in sent]),
            "sent_at": (DateTime(timezone=True), [each.at for each in sent]),
            "ordinal": (Integer(), [*range(len(sent))]),
        },
    )


def _fates(connection: Connection, sent: Sequence[Sent]) -> list[Fate]:
    found = connection.execute(_read_fates(sent))
    fate_of = {row.ordinal: Fate(row.fate) for row in found}
    return [fate_of[ordinal] for ordinal in range(len(sent))]


@statement("read_fates_of_sent", sent=SAMPLE)
def _read_fates(sent: Sequence[Sent]) -> Select[Any]:
    given, asking, before = _given(sent), confirmations, sent_before
    of_list = given.c.step_id.is_(None)
    asked = and_(asking.c.org_id == given.c.org_id, asking.c.id == given.c.row_id, of_list)
    went = and_(
        before.c.org_id == given.c.org_id,
        before.c.end_user_id == given.c.contact_id,
        before.c.automation_id == given.c.series_id,
        before.c.enrollment_number == given.c.number,
        before.c.step_id == given.c.step_id,
    )
    fate = case(
        (organizations.c.id.is_(None), Fate.ELSEWHERE),
        (messages.c.state.in_(["sent", "failed"]), Fate.KNOWN),
        (messages.c.state.is_not(None), Fate.OPEN),
        (before.c.org_id.is_not(None), Fate.KNOWN),
        (asking.c.state == "waiting", Fate.AGAIN),
        (asking.c.state.in_(["intended", "unknown"]), Fate.OPEN),
        (asking.c.state.is_not(None), Fate.KNOWN),
        (or_(end_users.c.id.is_(None), automation_steps.c.id.is_(None)), Fate.NOBODY),
        else_=Fate.AGAIN,
    )
    return select(given.c.ordinal, fate.label("fate")).select_from(
        given.outerjoin(organizations, organizations.c.id == given.c.org_id)
        .outerjoin(messages, _is_of(messages, given))
        .outerjoin(before, went)
        .outerjoin(asking, asked)
        .outerjoin(end_users, _is_contact(given))
        .outerjoin(automation_steps, _is_step(given))
    )


def _is_of(mails: FromClause, given: FromClause) -> ColumnElement[bool]:
    """Return whether a mail of the log is the one given: numbers may be given out twice."""
    return and_(
        mails.c.org_id == given.c.org_id,
        mails.c.recipient_id == given.c.row_id,
        mails.c.end_user_id == given.c.contact_id,
        mails.c.step_id == given.c.step_id,
    )


def _is_contact(given: FromClause) -> ColumnElement[bool]:
    return and_(end_users.c.org_id == given.c.org_id, end_users.c.id == given.c.contact_id)


def _is_step(given: FromClause) -> ColumnElement[bool]:
    return and_(
        automation_steps.c.org_id == given.c.org_id,
        automation_steps.c.id == given.c.step_id,
        automation_steps.c.automation_id == given.c.series_id,
    )


def _apply(connection: Connection, page: Sequence[Sent], fates: Sequence[Fate]) -> None:
    for fate, write in ((Fate.OPEN, _OPEN), (Fate.AGAIN, _AGAIN)):
        some = [each for each, found in zip(page, fates, strict=True) if found is fate]
        for statement_of in write if some else ():
            connection.execute(statement_of(some))


@statement("note_sent_since", sent=SAMPLE)
def _note_open(sent: Sequence[Sent]) -> Update:
    """Note mails as sent whose intent is known; a mail of unknown outcome stays so."""
    given = _given(sent)
    return (
        update(messages)
        .where(_is_of(messages, given), messages.c.state == literal_column("'intended'"))
        .values(state="sent", sent_at=given.c.sent_at)
    )


@statement("keep_sent_since", sent=SAMPLE)
def _keep(sent: Sequence[Sent]) -> Executable:
    """Write mails into the log that it does not know."""
    given, series = _given(sent), automations
    is_series = and_(series.c.org_id == given.c.org_id, series.c.id == given.c.series_id)
    rows = select(
        given.c.org_id,
        given.c.row_id,
        given.c.contact_id,
        given.c.series_id,
        given.c.number,
        given.c.step_id,
        literal_column("'sent'"),
        given.c.message_id,
        func.coalesce(end_users.c.email, ""),
        given.c.sent_at,
        given.c.sent_at,
        series.c.kind == literal_column(f"'{SeriesKind.MARKETING}'"),
    ).select_from(given.join(end_users, _is_contact(given)).join(series, is_series))
    columns = (
        *("org_id", "recipient_id", "end_user_id", "automation_id", "enrollment_number"),
        *("step_id", "state", "message_id", "to_address", "intended_at", "sent_at", "marketing"),
    )
    kept = insert(messages).from_select(columns, rows, include_defaults=False)
    return kept.on_conflict_do_nothing()


@statement("keep_sent_before", sent=SAMPLE)
def _keep_before(sent: Sequence[Sent]) -> Executable:
    """Note mails whose rows are not there: they will be made again under other numbers."""
    given, rows = _given(sent), automation_recipients
    has_row = (
        select(rows.c.id)
        .where(
            rows.c.org_id == given.c.org_id,
            rows.c.id == given.c.row_id,
            rows.c.end_user_id == given.c.contact_id,
            rows.c.step_id == given.c.step_id,
        )
        .exists()
    )
    names = ("org_id", "contact_id", "series_id", "number", "step_id", "sent_at")
    missing = select(*[given.c[name] for name in names]).where(
        given.c.step_id.is_not(None), ~has_row
    )
    kept = insert(sent_before).from_select([*sent_before.c], missing, include_defaults=False)
    return kept.on_conflict_do_nothing()


@statement("note_confirmations_since", sent=SAMPLE)
def _note_confirmations(sent: Sequence[Sent]) -> Update:
    given, asking = _given(sent), confirmations
    return (
        update(asking)
        .where(
            asking.c.org_id == given.c.org_id,
            asking.c.id == given.c.row_id,
            given.c.step_id.is_(None),
            asking.c.state.in_(["waiting", "intended"]),
        )
        .values(state="sent", sent_at=given.c.sent_at)
    )


_OPEN: Final = (_note_open, _note_confirmations)
_AGAIN: Final = (_keep, _keep_before, _note_confirmations)


@statement("raise_numbers", above=9_002)
def _raise_numbers(above: int) -> TextClause:
    """Give out no number again that a mail was sent under."""
    raised = text(
        "SELECT CASE WHEN last_value <= :above THEN setval('arrivals', :above) END FROM arrivals"
    )
    return raised.bindparams(bindparam("above", above, BigInteger()))


_LAST_SIGN: Final = named(
    "read_last_sign",
    select(
        func.greatest(
            select(func.max(installation.c.ticked_at)).scalar_subquery(),
            select(func.max(organizations.c.reevaluated_at)).scalar_subquery(),
        )
    ),
)


def _named(connection: Connection, message_ids: frozenset[str]) -> list[Sent]:
    """Return the rows that would still be sent under a Message-ID that a provider lists."""
    if not message_ids:
        return []
    by_name = {each.strip("<>").partition("@")[0]: each for each in message_ids}
    found = []
    for row in connection.execute(_ACTIVE_ROWS):
        about = About(row[0], row[1], *row[2:6])
        message_id = by_name.get(str(mail_id(about.org_id, about.row_id)))
        if message_id is not None:
            found.append(Sent(message_id, row.now, about))
    return found


_ACTIVE_ROWS: Final = named(
    "read_rows_to_send",
    select(
        automation_recipients.c.org_id,
        automation_recipients.c.id,
        automation_recipients.c.end_user_id,
        automation_recipients.c.automation_id,
        automation_recipients.c.enrollment_number,
        automation_recipients.c.step_id,
        func.now().label("now"),
    ).where(IS_ACTIVE),
)

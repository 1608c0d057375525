"""What a restored database knows of mails that went out, by the mails' own rows."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    or_,
    select,
)

from halo_engine.mail.transports.recording import Sent
from halo_engine.mail.transports.transports import About
from halo_engine.sql.parameters import PARAMETERS
from halo_engine.sql.rows import rows_of
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_steps,
    confirmations,
    end_users,
    former_mails,
    messages,
    organizations,
    sent_before,
)

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

    #: It has it as sent or as failed, or had it until it was deleted for its age.
    KNOWN = "known"
    #: It has the intent, and no outcome.
    OPEN = "open"
    #: It does not have it, and would send it again.
    AGAIN = "again"
    #: Its contact is not there: if it comes again, so does the mail.
    NOBODY = "nobody"
    #: Its organisation is not there: erased, moved, or made after the backup.
    ELSEWHERE = "elsewhere"


def fates_of(connection: Connection, sent: Sequence[Sent]) -> list[Fate]:
    """Return what the database knows of each mail."""
    found = connection.execute(_read_fates(sent))
    fate_of = {row.ordinal: Fate(row.fate) for row in found}
    return [fate_of[ordinal] for ordinal in range(len(sent))]


@statement("read_fates_of_sent", sent=SAMPLE)
def _read_fates(sent: Sequence[Sent]) -> Select[Any]:
    given, asking, before = given_mails(sent), confirmations, sent_before
    of_list = given.c.step_id.is_(None)
    asked = and_(asking.c.org_id == given.c.org_id, asking.c.id == given.c.row_id, of_list)
    went = and_(
        before.c.org_id == given.c.org_id,
        before.c.end_user_id == given.c.contact_id,
        before.c.automation_id == given.c.series_id,
        before.c.enrollment_number == given.c.number,
        before.c.step_id == given.c.step_id,
    )
    former = and_(
        former_mails.c.org_id == given.c.org_id,
        former_mails.c.recipient_id == given.c.row_id,
        former_mails.c.end_user_id == given.c.contact_id,
    )
    fate = case(
        (organizations.c.id.is_(None), Fate.ELSEWHERE),
        (messages.c.state.in_(["sent", "failed"]), Fate.KNOWN),
        (messages.c.state.is_not(None), Fate.OPEN),
        (former_mails.c.org_id.is_not(None), Fate.KNOWN),
        (before.c.org_id.is_not(None), Fate.KNOWN),
        (asking.c.state == "waiting", Fate.AGAIN),
        (asking.c.state.in_(["intended", "unknown"]), Fate.OPEN),
        (asking.c.state.is_not(None), Fate.KNOWN),
        (or_(end_users.c.id.is_(None), automation_steps.c.id.is_(None)), Fate.NOBODY),
        else_=Fate.AGAIN,
    )
    return select(given.c.ordinal, fate.label("fate")).select_from(
        given.outerjoin(organizations, organizations.c.id == given.c.org_id)
        .outerjoin(messages, is_of(messages, given))
        .outerjoin(former_mails, former)
        .outerjoin(before, went)
        .outerjoin(asking, asked)
        .outerjoin(end_users, is_contact(given))
        .outerjoin(automation_steps, _is_step(given))
    )


def is_of(mails: FromClause, given: FromClause) -> ColumnElement[bool]:
    """Return whether a mail of the log is the one given: numbers may be given out twice."""
    return and_(
        mails.c.org_id == given.c.org_id,
        mails.c.recipient_id == given.c.row_id,
        mails.c.end_user_id == given.c.contact_id,
        mails.c.step_id == given.c.step_id,
    )


def is_contact(given: FromClause) -> ColumnElement[bool]:
    """Return whether ``end_users`` is the contact of the mail given."""
    return and_(end_users.c.org_id == given.c.org_id, end_users.c.id == given.c.contact_id)


def _is_step(given: FromClause) -> ColumnElement[bool]:
    return and_(
        automation_steps.c.org_id == given.c.org_id,
        automation_steps.c.id == given.c.step_id,
        automation_steps.c.automation_id == given.c.series_id,
    )


def given_mails(sent: Sequence[Sent]) -> FromClause:
    """Return the mails as rows, numbered in their order (``ordinal``)."""
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

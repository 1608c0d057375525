"""Say which mails a restored database would send again, and keep it from doing so.

A mail that the database does not know is written into its log as sent, under the row that it was
of. Where that row is there, it is not sent again; where it was made after the backup, the run comes
to its step anew, and ``sent_before`` says that the mail went out (decision 75).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, func, select

from halo_engine.domain.answer import Answer
from halo_engine.mail.sending.intent import mail_id
from halo_engine.mail.transports.recording import Sent
from halo_engine.mail.transports.transports import About
from halo_engine.restoring.fates import Fate, fates_of
from halo_engine.restoring.lists import Lists
from halo_engine.restoring.writing import give_no_number_again, write_sent
from halo_engine.sql.statements import named
from halo_engine.tables import automation_recipients, installation, organizations
from halo_engine.tables.enrollments import IS_ACTIVE

#: So many mails are looked up at a time.
_PAGE: Final = 5_000
_RECENT: Final = timedelta(days=7)


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
        fates = fates_of(connection, page)
        for each, fate in zip(page, fates, strict=True):
            counts[fate] += 1
            if fate in (Fate.OPEN, Fate.AGAIN) and each.about.contact_id is not None:
                unsure.add(each.about.contact_id)
        if apply:
            write_sent(connection, page, fates)
    if apply and sent:
        give_no_number_again(connection, sent)
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
    fates = fates_of(connection, recent[-_PAGE:]) if recent else []
    known = [fate for fate in fates if fate not in (Fate.NOBODY, Fate.ELSEWHERE)]
    return bool(known) and known[-1] is Fate.AGAIN


def _pages(sent: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
    for start in range(0, len(sent), _PAGE):
        yield sent[start : start + _PAGE]


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

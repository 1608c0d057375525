"""Write into a restored database that mails went out, so that none goes out again (decision 75)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    Connection,
    Executable,
    Update,
    and_,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.reasons import SeriesKind
from halo_engine.mail.transports.recording import Sent
from halo_engine.moving.counting import raise_arrivals
from halo_engine.restoring.fates import SAMPLE, Fate, given_mails, is_contact, is_of
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_recipients,
    automations,
    confirmations,
    end_users,
    messages,
    sent_before,
)


def write_sent(connection: Connection, mails: Sequence[Sent], fates: Sequence[Fate]) -> None:
    """Write that mails were sent which the database does not know, or not the outcome of."""
    for fate, write in ((Fate.OPEN, _OPEN), (Fate.AGAIN, _AGAIN)):
        some = [each for each, found in zip(mails, fates, strict=True) if found is fate]
        for statement_of in write if some else ():
            connection.execute(statement_of(some))


def give_no_number_again(connection: Connection, mails: Sequence[Sent]) -> None:
    """Let no later row have a number under which one of these mails was sent."""
    raise_arrivals(connection, max(each.about.row_id for each in mails))


@statement("note_sent_since", sent=SAMPLE)
def _note_open(sent: Sequence[Sent]) -> Update:
    """Note mails as sent whose intent is known; a mail of unknown outcome stays so."""
    given = given_mails(sent)
    return (
        update(messages)
        .where(is_of(messages, given), messages.c.state == literal_column("'intended'"))
        .values(state="sent", sent_at=given.c.sent_at)
    )


@statement("keep_sent_since", sent=SAMPLE)
def _keep(sent: Sequence[Sent]) -> Executable:
    """Write mails into the log that it does not know."""
    given, series = given_mails(sent), automations
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
    ).select_from(given.join(end_users, is_contact(given)).join(series, is_series))
    columns = (
        *("org_id", "recipient_id", "end_user_id", "automation_id", "enrollment_number"),
        *("step_id", "state", "message_id", "to_address", "intended_at", "sent_at", "marketing"),
    )
    kept = insert(messages).from_select(columns, rows, include_defaults=False)
    return kept.on_conflict_do_nothing()


@statement("keep_sent_before", sent=SAMPLE)
def _keep_before(sent: Sequence[Sent]) -> Executable:
    """Note mails whose rows are not there: they will be made again under other numbers."""
    given, rows = given_mails(sent), automation_recipients
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
    given, asking = given_mails(sent), confirmations
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

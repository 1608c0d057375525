"""Stop all mail, of one organisation or of all, until an operator starts it again (§9).

Nothing is lost: rows stay due, and conditions, exits and goals go on. The statements belong to the
installation, not to one organisation, so they take a connection.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Insert,
    Select,
    Table,
    Update,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import bad_input, not_found
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.values import check_text, is_storable_text
from halo_engine.series.orders import overtaken
from halo_engine.sql.statements import statement
from halo_engine.tables import installation, organizations

_ROW: Final = {"singleton": True}


class Stop(Answer):
    """A stop of one organisation's mail, or of all mail (``org`` is None); since when, by whom."""

    org: str | None
    since: Instant
    by: str


class Outage(Answer):
    """Since when the mail server is down for the workers, and why."""

    since: Instant
    reason: str


class Sending(Answer):
    """What holds mail: stops (that of all mail first), and an outage."""

    stops: tuple[Stop, ...]
    outage: Outage | None


def stop_sending(
    connection: Connection, org: str | None, by: str, sent_at: datetime | None = None
) -> Sending:
    """Stop the mail of the organisation ``org``, or of all (None), from the commit on.

    This holds leased mail too: only messages whose intent is committed are still sent, at most one
    a worker process. An existing stop keeps its time and name. Raises 404 for an unknown
    organisation, and 409 if ``sent_at``, the time of this order, is before the last order.
    """
    check_text(by, "by")
    if not by.strip():
        raise bad_input("by", "is blank; allowed is who stops it")
    _note_order(connection, org, sent_at)
    if org is None:
        connection.execute(_stop_all_sending(by))
    else:
        _find(connection, org)
        connection.execute(_stop_org_sending(org, by))
    return show_sending(connection, org)


@statement("stop_all_sending")
def _stop_all_sending(by: str) -> Insert:
    stopped = _stopped_by(by)
    made = insert(installation).values(**_ROW, **stopped)
    return made.on_conflict_do_update(
        index_elements=["singleton"],
        set_=stopped,
        where=installation.c.sending_stopped_at.is_(None),
    )


@statement("stop_org_sending")
def _stop_org_sending(org_key: str, by: str) -> Update:
    return (
        update(organizations)
        .where(organizations.c.key == org_key, organizations.c.sending_stopped_at.is_(None))
        .values(_stopped_by(by))
    )


def _stopped_by(by: str) -> dict[str, Any]:
    return {"sending_stopped_at": func.now(), "sending_stopped_by": by}


_GOING: Final[dict[str, Any]] = {"sending_stopped_at": None, "sending_stopped_by": None}


def start_sending(
    connection: Connection, org: str | None, sent_at: datetime | None = None
) -> Sending:
    """End the stop of the organisation ``org``, or that of all mail (None), and no other stop.

    From the next tick on due mail is sent, at the configured rate. Raises 404 and 409 as a stop.
    """
    _note_order(connection, org, sent_at)
    if org is None:
        connection.execute(_start_all_sending())
    else:
        _find(connection, org)
        connection.execute(_start_org_sending(org))
    return show_sending(connection, org)


@statement("start_all_sending")
def _start_all_sending() -> Update:
    return update(installation).values(_GOING)


@statement("start_org_sending")
def _start_org_sending(org_key: str) -> Update:
    return update(organizations).where(organizations.c.key == org_key).values(_GOING)


def show_sending(connection: Connection, org: str | None = None) -> Sending:
    """Return what holds the mail of ``org``, or of any organisation (None)."""
    if org is not None:
        _find(connection, org)
    everywhere = connection.execute(_read_installation()).one_or_none()
    stops = _stopped(connection, org)
    if everywhere is None:
        return Sending(stops=tuple(stops), outage=None)
    if everywhere.sending_stopped_at is not None:
        since, by = everywhere.sending_stopped_at, everywhere.sending_stopped_by
        stops.insert(0, Stop(org=None, since=since, by=by))
    since, reason = everywhere.mail_down_since, everywhere.mail_down_reason
    outage = None if since is None else Outage(since=since, reason=reason)
    return Sending(stops=tuple(stops), outage=outage)


@statement("read_installation")
def _read_installation() -> Select[Any]:
    return select(installation)


def _stopped(connection: Connection, org: str | None) -> list[Stop]:
    found = connection.execute(_read_stopped_orgs(org))
    return [Stop.model_validate(dict(row)) for row in found.mappings()]


@statement("read_stopped_orgs")
def _read_stopped_orgs(org_key: str | None) -> Executable:
    table = organizations
    stopped = (
        select(
            table.c.key.label("org"),
            table.c.sending_stopped_at.label("since"),
            table.c.sending_stopped_by.label("by"),
        )
        .where(table.c.sending_stopped_at.is_not(None))
        .order_by(table.c.key)
    )
    return stopped if org_key is None else stopped.where(table.c.key == org_key)


def note_outage(connection: Connection, reason: str | None, now: datetime) -> None:
    """Record why the mail server is down, or (None) that it answers.

    This is for people; each worker process finds out for itself. The time of the first note stays.
    """
    if reason is None:
        connection.execute(_end_mail_outage())
        return
    connection.execute(_note_mail_outage(reason, now))


@statement("end_mail_outage")
def _end_mail_outage() -> Update:
    return (
        update(installation)
        .where(installation.c.mail_down_since.is_not(None))
        .values(mail_down_since=None, mail_down_reason=None)
    )


@statement("note_mail_outage")
def _note_mail_outage(error: str | None, now: datetime) -> Insert:
    found = insert(installation).values(**_ROW, mail_down_since=now, mail_down_reason=error)
    since = func.coalesce(installation.c.mail_down_since, found.excluded.mail_down_since)
    return found.on_conflict_do_update(
        index_elements=["singleton"],
        set_={"mail_down_since": since, "mail_down_reason": found.excluded.mail_down_reason},
    )


def _note_order(connection: Connection, org: str | None, sent_at: datetime | None) -> None:
    """Record the time of an order to stop or start; refuse an order older than the last one.

    Concurrent orders wait for each other.
    """
    if org is None:
        connection.execute(_make_installation())
    else:
        _find(connection, org)
    ordered_at = connection.execute(_hold_sending_order(org)).scalar_one()
    if sent_at is not None and ordered_at is not None and ordered_at > sent_at:
        whose = "all mail" if org is None else f"organisation ‘{org}’"
        raise overtaken(f"What holds the mail of {whose}", sent_at, ordered_at)
    connection.execute(_note_sending_order(org, sent_at))


@statement("make_installation")
def _make_installation() -> Insert:
    return insert(installation).values(_ROW).on_conflict_do_nothing()


def _noted_at(org: str | None) -> tuple[Table, ColumnElement[bool]]:
    """Return the table and the row that store the time of the last order."""
    if org is None:
        return installation, true()
    return organizations, organizations.c.key == org


@statement("hold_sending_order")
def _hold_sending_order(org_key: str | None) -> Select[Any]:
    table, which = _noted_at(org_key)
    return select(table.c.sending_ordered_at).where(which).with_for_update(key_share=True)


@statement("note_sending_order")
def _note_sending_order(org_key: str | None, sent_at: datetime | None) -> Update:
    table, which = _noted_at(org_key)
    noted = func.least(sent_at, func.now())
    return update(table).where(which).values(sending_ordered_at=noted)


def _find(connection: Connection, org: str) -> None:
    if not is_storable_text(org) or connection.scalar(_find_org(org)) is None:
        raise not_found("organisation", org)


@statement("find_org")
def _find_org(org_key: str) -> Select[Any]:
    return select(organizations.c.id).where(organizations.c.key == org_key)

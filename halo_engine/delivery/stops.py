"""Stop all mail, of one organisation or of all, until an operator starts it again (§9).

Nothing is lost: rows stay due, and conditions, exits and goals go on. The statements belong to the
installation, not to one organisation, so they take a connection.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.answers import Instant
from halo_engine.domain.errors import bad_input, not_found
from halo_engine.domain.values import check_text, is_storable_text
from halo_engine.series.orders import overtaken
from halo_engine.tables import installation, organizations

_ROW: Final = {"singleton": True}


class Stop(BaseModel):
    """A stop of one organisation's mail, or of all mail (``org`` is None); since when, by whom."""

    model_config = ConfigDict(frozen=True)

    org: str | None
    since: Instant
    by: str


class Outage(BaseModel):
    """Since when the mail server is down for the workers, and why."""

    model_config = ConfigDict(frozen=True)

    since: Instant
    reason: str


class Sending(BaseModel):
    """What holds mail, if anything: stops (that of all mail first) and an outage."""

    model_config = ConfigDict(frozen=True)

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
    stopped = {"sending_stopped_at": func.now(), "sending_stopped_by": by}
    if org is None:
        made = insert(installation).values(**_ROW, **stopped)
        connection.execute(
            made.on_conflict_do_update(
                index_elements=["singleton"],
                set_=stopped,
                where=installation.c.sending_stopped_at.is_(None),
            )
        )
    else:
        _find(connection, org)
        connection.execute(
            update(organizations)
            .where(organizations.c.key == org, organizations.c.sending_stopped_at.is_(None))
            .values(stopped)
        )
    return show_sending(connection, org)


def start_sending(
    connection: Connection, org: str | None, sent_at: datetime | None = None
) -> Sending:
    """End the stop of the organisation ``org``, or that of all mail (None), and no other stop.

    From the next tick on due mail is sent, at the configured rate. Raises 404 and 409 as a stop.
    """
    _note_order(connection, org, sent_at)
    going = {"sending_stopped_at": None, "sending_stopped_by": None}
    if org is None:
        connection.execute(update(installation).values(going))
    else:
        _find(connection, org)
        connection.execute(update(organizations).where(organizations.c.key == org).values(going))
    return show_sending(connection, org)


def show_sending(connection: Connection, org: str | None = None) -> Sending:
    """Return what holds the mail of ``org``, or of any organisation (None)."""
    if org is not None:
        _find(connection, org)
    everywhere = connection.execute(select(installation)).one_or_none()
    stops = _stopped(connection, org)
    if everywhere is None:
        return Sending(stops=tuple(stops), outage=None)
    if everywhere.sending_stopped_at is not None:
        since, by = everywhere.sending_stopped_at, everywhere.sending_stopped_by
        stops.insert(0, Stop(org=None, since=since, by=by))
    since, reason = everywhere.mail_down_since, everywhere.mail_down_reason
    outage = None if since is None else Outage(since=since, reason=reason)
    return Sending(stops=tuple(stops), outage=outage)


def _stopped(connection: Connection, org: str | None) -> list[Stop]:
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
    found = connection.execute(stopped if org is None else stopped.where(table.c.key == org))
    return [Stop.model_validate(dict(row)) for row in found.mappings()]


def note_outage(connection: Connection, reason: str | None, now: datetime) -> None:
    """Record why the mail server is down, or (None) that it answers.

    This is for people; each worker process finds out for itself. The time of the first note stays.
    """
    if reason is None:
        connection.execute(
            update(installation)
            .where(installation.c.mail_down_since.is_not(None))
            .values(mail_down_since=None, mail_down_reason=None)
        )
        return
    found = insert(installation).values(**_ROW, mail_down_since=now, mail_down_reason=reason)
    since = func.coalesce(installation.c.mail_down_since, found.excluded.mail_down_since)
    connection.execute(
        found.on_conflict_do_update(
            index_elements=["singleton"],
            set_={"mail_down_since": since, "mail_down_reason": found.excluded.mail_down_reason},
        )
    )


def _note_order(connection: Connection, org: str | None, sent_at: datetime | None) -> None:
    """Record the time of an order to stop or start; refuse an order older than the last one.

    Concurrent orders wait for each other.
    """
    table = installation if org is None else organizations
    if org is None:
        connection.execute(insert(table).values(_ROW).on_conflict_do_nothing())
    else:
        _find(connection, org)
    which = true() if org is None else table.c.key == org
    last = select(table.c.sending_ordered_at).where(which).with_for_update(key_share=True)
    ordered_at = connection.execute(last).scalar_one()
    if sent_at is not None and ordered_at is not None and ordered_at > sent_at:
        whose = "all mail" if org is None else f"organisation ‘{org}’"
        raise overtaken(f"What holds the mail of {whose}", sent_at, ordered_at)
    noted = func.least(sent_at, func.now())
    connection.execute(update(table).where(which).values(sending_ordered_at=noted))


def _find(connection: Connection, org: str) -> None:
    named = select(organizations.c.id).where(organizations.c.key == org)
    if not is_storable_text(org) or connection.scalar(named) is None:
        raise not_found("organisation", org)

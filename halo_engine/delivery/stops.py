"""Holding all mail: an operator stops it, here or everywhere, until an operator starts it (§9).

Nothing is lost: rows stay due, and conditions, exits and goals go on. The statements are the
installation's rather than one organisation's, so they run on a connection.
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
    """A stop: of one organisation's mail, or of all mail (``org`` is None); since when, by whom."""

    model_config = ConfigDict(frozen=True)

    org: str | None
    since: Instant
    by: str


class Outage(BaseModel):
    """Since when workers find the mail server down, and what it says."""

    model_config = ConfigDict(frozen=True)

    since: Instant
    reason: str


class Sending(BaseModel):
    """Whether mail goes out, and what holds it: stops, that of all mail first, and an outage."""

    model_config = ConfigDict(frozen=True)

    stops: tuple[Stop, ...]
    outage: Outage | None


def stop_sending(
    connection: Connection, org: str | None, by: str, sent_at: datetime | None = None
) -> Sending:
    """Hold all mail of the organisation ``org``, or of all (None), from the commit on.

    Also mail that is leased already: only a message whose intent is committed still goes out, one
    a worker process at most. A stop that stands keeps its instant and its name. A 404 when there is
    no such organisation, a 409 where ``sent_at``, when that was ordered, is before the last order.
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
    """End the stop of the organisation ``org``, or that of all mail (None); no other stop.

    What is due goes out from the next tick on, at the rate that is set. A 409 as for a stop.
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
    """Return what holds the mail of ``org``, or of anybody (None)."""
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
    """Note what the mail server was found down with, or (None) that it answered.

    For people to read: each worker process tries for itself. The instant of the first note stays.
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
    """Note when it was ordered to hold mail or to let it go; refuse what was ordered before that.

    Two orders at once wait for each other.
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

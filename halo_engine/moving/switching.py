"""The switch: what was written last, then from one commit on the organisation lives elsewhere.

1. Its writers are locked out for a moment. What changed since the last round is brought and
   compared; then the target has every row but the organisation's own.
2. The source commits that the organisation has moved: this is the switch. Whoever waited there is
   told the new cell, and so is every later writer.
3. The organisation's own row goes from the source, and comes in the target.

If the mover dies after the second, the same command does the third.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Connection,
    Select,
    Text,
    TextClause,
    Uuid,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from halo_engine.database import sqlstate
from halo_engine.domain.errors import conflict, not_found
from halo_engine.moving.clearing import remove_organization
from halo_engine.moving.copying import bring, catch_up_once
from halo_engine.moving.counting import last_arrival, raise_arrivals, wait_for_clock
from halo_engine.moving.ledger import (
    ARRIVING,
    Mover,
    forget,
    move_of,
    note_moved,
    note_names,
)
from halo_engine.moving.mail import (
    hold_mail,
    mail_under_way,
    wait_for_mail,
    webhooks_under_way,
    with_mail_going,
)
from halo_engine.moving.places import Place
from halo_engine.moving.progress import MailEnds, Switched, Tell
from halo_engine.moving.rows import forget_notes, noted_tables
from halo_engine.moving.watching import wait_at_most
from halo_engine.series.locks import MOVE_LOCK, lock_key
from halo_engine.sql.statements import statement
from halo_engine.tables import organizations

#: How long a try waits for transactions under way; later ones wait behind it.
_WAIT: Final = "300ms"
_MOST_TRIES: Final = 300
#: More changes than these are caught up with before, while the organisation works.
_MOST_NOTES: Final = 2_000
#: A switch that takes longer is given up before its commit, and tried again.
_LONGEST: Final = timedelta(seconds=1)
#: In so many tries no webhook may be under way; then one is sent again, as after a crash.
_TRIES_FOR_WEBHOOKS: Final = 20
_GAVE_UP: Final = frozenset({"55P03", "40P01"})


class _NotNow(Exception):  # noqa: N818 -- it is tried again
    """Something is under way that has to end first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the switch waits for mail under way, and how long calls may wait for the switch."""

    mail: timedelta = timedelta(minutes=10)
    pause: timedelta = _LONGEST


def switch(source: Place, target: Place, mover: Mover, limits: Limits, tell: Tell) -> None:
    """Make the target the place where the organisation lives.

    Raises a 409 if calls or mail under way leave no moment for it, and a 404 if the organisation
    is gone; nothing is switched then.
    """
    for turn in range(_MOST_TRIES):
        hold_mail(source, mover.id, target.name)
        with source.transaction() as connection:
            tell(MailEnds(mail_under_way(connection, mover.id)))
        wait_for_mail(source, mover.id, limits.mail)
        catch_up_once(source, target, mover.id, tell)
        try:
            _switch_now(source, target, mover, limits, tell, waits=turn < _TRIES_FOR_WEBHOOKS)
            return
        except _NotNow:
            pass
        except DBAPIError as error:
            if sqlstate(error) not in _GAVE_UP:
                raise
        time.sleep(random.uniform(0.05, 0.5))
    raise conflict(
        "too_busy_to_move",
        f"Organisation {mover.key!r} writes without a pause of {_WAIT}. Nothing was switched, and "
        "mail goes on. Allowed is to run the command again.",
    )


def _switch_now(
    source: Place, target: Place, mover: Mover, limits: Limits, tell: Tell, *, waits: bool
) -> None:
    began = time.monotonic()
    with target.transaction() as into:
        with source.transaction() as out:
            wait_at_most(out, _WAIT)
            out.execute(_lock_out(lock_key(mover.id)))
            if _is_busy(out, mover.id, waits=waits):
                raise _NotNow
            organization = with_mail_going(_organization(out, mover), target.name)
            bring(out, target, mover.id, compare=True)
            with target.transaction() as connection:
                note_names(connection, mover.id, organization)
            _arrive(into, mover.id, organization)
            with target.transaction() as connection:
                raise_arrivals(connection, last_arrival(out))
            if time.monotonic() - began > limits.pause.total_seconds():
                raise _NotNow
            forget_notes(out, mover.id)
            note_moved(out, mover.id, organization)
        # It has moved. Nobody finds it in the source before it can be found in the target.
        remove_organization(source, mover.id)
        wait_for_clock(into, _switched_at(source, mover))
    tell(Switched(target.name, timedelta(seconds=time.monotonic() - began)))


def _switched_at(source: Place, mover: Mover) -> datetime:
    with source.transaction() as connection:
        move = move_of(connection, mover.id)
    assert move is not None
    assert move.switched_at is not None
    return move.switched_at


def arrive(source: Place, target: Place, mover: Mover) -> bool:
    """Let the organisation come where it has moved to, if it is on its way still.

    Returns whether it lives there: since it came it may have moved on, or been erased.
    """
    with source.transaction() as connection:
        move = move_of(connection, mover.id)
    remove_organization(source, mover.id)
    with target.transaction() as connection:
        here = move_of(connection, mover.id)
        is_on_its_way = here is not None and (here.state, here.cell) == (ARRIVING, source.name)
        if is_on_its_way and move and move.organization and move.switched_at:
            _arrive(connection, mover.id, move.organization)
            wait_for_clock(connection, move.switched_at)
        return connection.scalar(_is_here(mover.id)) is not None


def _arrive(connection: Connection, org_id: UUID, organization: Mapping[str, Any]) -> None:
    # Calls that are sent here after the switch wait for this row (``departures``).
    forget(connection, org_id)
    connection.execute(_insert_organization(organization))


def _is_busy(connection: Connection, org_id: UUID, *, waits: bool) -> bool:
    if sum(noted_tables(connection, org_id).values()) > _MOST_NOTES:
        return True
    if mail_under_way(connection, org_id):
        return True
    return waits and webhooks_under_way(connection, org_id) > 0


@statement("lock_out_for_move")
def _lock_out(lock_key: int) -> Select[Any]:
    return select(cast(func.pg_advisory_xact_lock(MOVE_LOCK, lock_key), Text))


def _organization(connection: Connection, mover: Mover) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = connection.scalar(_read_organization(mover.id))
    if found is None:
        raise not_found("organisation", mover.key)
    return found


@statement("read_organization_whole")
def _read_organization(org_id: UUID) -> TextClause:
    row = text("SELECT to_jsonb(organizations) FROM organizations WHERE id = :org_id")
    return row.bindparams(bindparam("org_id", org_id, Uuid()))


@statement("insert_organization_whole", organization={"key": "org-key"})
def _insert_organization(organization: Mapping[str, Any]) -> TextClause:
    row = "jsonb_populate_record(CAST(NULL AS organizations), :organization)"
    inserted = text(f"INSERT INTO organizations SELECT ({row}).*")
    return inserted.bindparams(bindparam("organization", organization, JSONB()))


@statement("find_organization_here")
def _is_here(org_id: UUID) -> Select[Any]:
    return select(organizations.c.id).where(organizations.c.id == org_id)

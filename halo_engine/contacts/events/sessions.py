"""Give a session's anonymous events to the contact that it belongs to (contract §2)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, Update, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.events.counts import count_events
from halo_engine.contacts.parameters import NOW, ORG_ID, given_rows, values_of
from halo_engine.series.noting import note_happened
from halo_engine.sql.prepared import prepared
from halo_engine.tables import contact_sessions, end_users, events
from halo_engine.work import Work


def link_sessions(work: Work, sessions: Mapping[str, UUID]) -> dict[UUID, datetime]:
    """Give the sessions' anonymous events to their contacts, and store the links; one statement.

    They count from now on and may lower ``first_seen``, which is returned for the contacts where it
    changed. But they stay history: no signal is written. The links are for the systems that hold
    transcripts and tickets.
    """
    if not sessions:
        return {}
    given = [
        {"session_id": session_id, "contact_id": str(contact_id)}
        for session_id, contact_id in sessions.items()
    ]
    rows = _linking().rows(work.connection, values_of(work, given))
    return {row["id"]: row["first_seen"] for row in rows}


@prepared("link_sessions")
def _linking() -> Update:
    given = given_rows({"session_id": Text(), "contact_id": Uuid()})
    linked = (
        update(events)
        .where(
            events.c.org_id == ORG_ID,
            events.c.session_id == given.c.session_id,
            events.c.end_user_id.is_(None),
        )
        .values(end_user_id=given.c.contact_id)
        .returning(*events.c)
        .cte("linked")
    )
    kept = (
        insert(contact_sessions)
        .from_select(
            ["org_id", "session_id", "end_user_id", "linked_at"],
            select(ORG_ID, given.c.session_id, given.c.contact_id, NOW).order_by(
                given.c.session_id
            ),
        )
        .on_conflict_do_nothing()
        .cte("kept")
    )
    earliest = (
        select(linked.c.end_user_id, func.min(linked.c.happened_at).label("at"))
        .group_by(linked.c.end_user_id)
        .cte("earliest")
    )
    noted = note_happened(ORG_ID, select(linked.c.end_user_id), "noted")
    return (
        update(end_users)
        .where(
            end_users.c.org_id == ORG_ID,
            end_users.c.id == earliest.c.end_user_id,
            end_users.c.first_seen > earliest.c["at"],
        )
        .values(first_seen=earliest.c["at"])
        .returning(end_users.c.id, end_users.c.first_seen)
        .add_cte(count_events(ORG_ID, linked), kept, noted)
    )

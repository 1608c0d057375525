"""Anonymous work that becomes a contact's: a session's events, and the link (contract §2)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.counts import count_events
from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.tables import contact_sessions, end_users, events
from halo_engine.work import Work

_SESSION = bindparam("of_session", type_=events.c.session_id.type)
_CONTACT = bindparam("to_contact", type_=events.c.end_user_id.type)

_LINKED = (
    update(events)
    .where(
        events.c.org_id == ORG_ID,
        events.c.session_id == _SESSION,
        events.c.end_user_id.is_(None),
    )
    .values(end_user_id=_CONTACT)
    .returning(*events.c)
    .cte("linked")
)
_KEPT = (
    insert(contact_sessions)
    .values(org_id=ORG_ID, session_id=_SESSION, end_user_id=_CONTACT, linked_at=NOW)
    .on_conflict_do_nothing()
    .cte("kept")
)
_EARLIEST = select(func.min(_LINKED.c.happened_at)).scalar_subquery()
_LINK = (
    update(end_users)
    .where(
        end_users.c.org_id == ORG_ID,
        end_users.c.id == _CONTACT,
        end_users.c.first_seen > _EARLIEST,
    )
    .values(first_seen=_EARLIEST)
    .returning(end_users.c.first_seen)
    .add_cte(count_events(ORG_ID, _LINKED), _KEPT)
)


def link_session(work: Work, session_id: str, contact_id: UUID) -> datetime | None:
    """Give a session's anonymous events to the contact, in one statement; keep the link (§2).

    They count from now on and lower ``first_seen``, which is returned if they did, but they stay
    history: no signal is written. The link is for the systems that hold transcripts and tickets.
    """
    lowered: datetime | None = work.connection.execute(
        _LINK,
        {
            "work_org_id": work.org_id,
            "work_now": work.now,
            "of_session": session_id,
            "to_contact": contact_id,
        },
    ).scalar_one_or_none()
    return lowered

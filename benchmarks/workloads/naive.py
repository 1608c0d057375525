"""The naive baseline: a loop over contacts, an ORM, queries for each series.

It enrolls contacts whose traits changed, by the rules of the contract that the compared series use:
active ``segment_match`` series with filters by equality, suppressions, contact type, one
enrollment, one per company. ``tests/benchmarks/test_naive.py`` holds that it and the engine enroll
the same contacts.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select
from sqlalchemy.orm import Session, registry

from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    automation_steps,
    automations,
    end_users,
    suppressions,
)

_mapper = registry()


class Contact:
    """A contact."""


class Series:
    """A series."""


class Step:
    """A step of a series."""


class Enrollment:
    """A contact's run through a series."""


class Recipient:
    """A contact at a step."""


class Suppression:
    """An address that gets no mail."""


# Mapped by hand, since the tables are there already; the attributes are the columns.
for _class, _table in (
    (Contact, end_users),
    (Series, automations),
    (Step, automation_steps),
    (Enrollment, automation_enrollments),
    (Recipient, automation_recipients),
    (Suppression, suppressions),
):
    _mapper.map_imperatively(_class, _table)


def handle_changes(database: Engine, org_id: UUID, contacts: Iterable[UUID]) -> int:
    """Look at each contact and each active series, and enroll who matches; return how many."""
    return sum(_handle(database, org_id, contact_id) for contact_id in contacts)


def _handle(database: Engine, org_id: UUID, contact_id: UUID) -> int:
    enrolled = 0
    with Session(database) as session:
        contact: Any = session.get_one(Contact, (org_id, contact_id))
        series = session.scalars(
            select(Series).filter_by(org_id=org_id, status="active", entry_trigger="segment_match")
        )
        for each in series.all():
            if _may_enter(session, each, contact):
                _enroll(session, each, contact)
                enrolled += 1
        session.commit()
    return enrolled


def _may_enter(session: Session, series: Any, contact: Any) -> bool:
    if series.contact_type not in ("both", contact.contact_type):
        return False
    if not _matches(session, series, contact):
        return False
    ours = {"org_id": contact.org_id}
    if session.scalars(select(Suppression).filter_by(**ours, address=contact.address)).first():
        return False
    runs = select(Enrollment).filter_by(**ours, automation_id=series.id)
    if session.scalars(runs.filter_by(end_user_id=contact.id)).first():
        return False
    seat = _seat(series, contact)
    if seat is None:
        return True
    seated = runs.filter_by(company_seat=seat, ended_at=None)
    return session.scalars(seated).first() is None


def _matches(session: Session, series: Any, contact: Any) -> bool:
    """Ask whether all filters of any group hold: `is`, on columns and custom fields."""
    held = [and_(*(_holds(each) for each in group)) for group in series.audience_filters]
    found = select(Contact).filter_by(org_id=contact.org_id, id=contact.id).where(or_(*held))
    return session.scalars(found).first() is not None


def _holds(item: dict[str, Any]) -> ColumnElement[bool]:
    name, value = item["field"], item["value"]
    held: ColumnElement[bool]
    if name in ("name", "email"):
        held = end_users.c[name] == value
    else:
        held = end_users.c.custom_fields[name.removeprefix("custom:")].astext == value
    return held


def _seat(series: Any, contact: Any) -> UUID | None:
    return contact.company_id if series.settings.get("one_per_company") else None


def _enroll(session: Session, series: Any, contact: Any) -> None:
    step: Any = session.scalars(
        select(Step)
        .filter_by(org_id=contact.org_id, automation_id=series.id)
        .order_by(automation_steps.c.position)
    ).first()
    now: datetime = session.scalars(select(func.now())).one()
    run: Any = Enrollment()
    run.org_id, run.automation_id, run.end_user_id = contact.org_id, series.id, contact.id
    run.number, run.company_seat, run.created_at = 1, _seat(series, contact), now
    session.add(run)
    session.flush()
    row: Any = Recipient()
    row.org_id, row.automation_id, row.end_user_id = contact.org_id, series.id, contact.id
    row.step_id, row.enrollment_number, row.created_at = step.id, 1, now
    row.scheduled_for = now + timedelta(seconds=step.delay_seconds)
    session.add(row)
    session.flush()

"""*Matched*: the contacts that pass contact type and audience now, less the suppressed (§3)."""

from uuid import UUID

from sqlalchemy import Connection, Select, and_, exists, func, select

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import (
    Audience,
    audience,
    fits_contact_type,
    scan,
    suppressed,
)
from halo_engine.audience.moments import Moment
from halo_engine.sql.statements import statement
from halo_engine.tables import suppressions


def matched(org_id: UUID, of: Audience, moment: Moment) -> Select[tuple[UUID]]:
    """Return the query of the matched contacts' ids; ``of`` is a series, saved or not."""
    subject = Subject.of_contacts()
    holds = audience(of, subject, moment)
    contact = subject.contact
    return (
        select(contact.c.id)
        .select_from(scan(subject, [holds]))
        .where(
            contact.c.org_id == org_id,
            fits_contact_type(of.contact_type, subject),
            holds,
            # Looked up for each contact: with old statistics, a join would compare all with all.
            suppressed(subject).is_(False),
        )
    )


def count_matched(connection: Connection, org_id: UUID, of: Audience, moment: Moment) -> int:
    """Return how many contacts are matched now."""
    return connection.execute(_number_matched(org_id, of, moment)).scalar_one()


@statement("count_matched")
def _number_matched(org_id: UUID, of: Audience, moment: Moment) -> Select[int]:
    subject, suppression = Subject.of_contacts(), suppressions.alias("suppression")
    contact = subject.contact
    holds = audience(of, subject, moment)
    # Joined where ``matched`` looks it up: a count reads everybody, and PostgreSQL counts in
    # several processes only without a subquery for each contact.
    is_its = and_(suppression.c.org_id == org_id, suppression.c.address == contact.c.address)
    return (
        select(func.count())
        .select_from(scan(subject, [holds]).outerjoin(suppression, is_its))
        .where(
            contact.c.org_id == org_id,
            fits_contact_type(of.contact_type, subject),
            holds,
            suppression.c.address.is_(None),
        )
    )


def is_anybody_matched(connection: Connection, org_id: UUID, of: Audience, moment: Moment) -> bool:
    """Return whether anybody is matched now; it stops at the first."""
    return connection.execute(_any_matched(org_id, of, moment)).scalar_one()


@statement("check_anybody_matched")
def _any_matched(org_id: UUID, of: Audience, moment: Moment) -> Select[bool]:
    return select(exists(matched(org_id, of, moment)))

"""*Matched*: the contacts that pass contact type and audience now, less the suppressed (§3)."""

from uuid import UUID

from sqlalchemy import Connection, Select, func, select

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import (
    Audience,
    audience,
    fits_contact_type,
    scan,
    suppressed,
)
from halo_engine.audience.moments import Moment


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
    ids = matched(org_id, of, moment).subquery("matched")
    return connection.execute(select(func.count()).select_from(ids)).scalar_one()

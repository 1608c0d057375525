"""How many contacts have a ``timezone`` that names no time zone (contract §20)."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select

from halo_engine.answers.reports.stored import SAMPLE
from halo_engine.audience.zones import zone_trait
from halo_engine.domain.times.quiet_hours import contact_zone
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work

#: The field that says in which zone a contact is.
ZONE_FIELD: Final = "custom:timezone"


def count_no_zones(work: Work) -> int:
    """Return how many of the ``SAMPLE`` newest contacts have a value that names no zone."""
    found = work.connection.execute(_sample_zone_names(work.org_id))
    return sum(row.contacts for row in found if contact_zone(row.zone) is None)


@statement("sample_zone_names")
def _sample_zone_names(org_id: UUID) -> Select[Any]:
    newest = (
        select(zone_trait(end_users).label("zone"))
        .where(end_users.c.org_id == org_id)
        .order_by(end_users.c.created_at.desc(), end_users.c.id.desc())
        .limit(SAMPLE)
        .subquery("newest")
    )
    return (
        select(newest.c.zone, func.count().label("contacts"))
        .where(newest.c.zone.is_not(None))
        .group_by(newest.c.zone)
    )

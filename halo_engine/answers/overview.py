"""All series at a glance: settings and counts (``halo series list``)."""

from sqlalchemy import and_, func, select

from halo_engine.answers.shape import Answer, Instant
from halo_engine.domain.reasons import AudienceType, EntryTrigger, SeriesKind, SeriesStatus
from halo_engine.tables import automation_enrollments, automations
from halo_engine.work import Work


class SeriesLine(Answer):
    """One series; ``enrollments`` counts all runs, ``active`` those that have not ended."""

    series: str
    name: str
    status: SeriesStatus
    kind: SeriesKind
    entry_trigger: EntryTrigger
    audience_type: AudienceType
    enrollments: int
    active: int
    updated_at: Instant


def overview(work: Work) -> list[SeriesLine]:
    """Return a line for each of the organisation's series, in order of creation."""
    series, runs = automations, automation_enrollments
    in_it = and_(runs.c.org_id == series.c.org_id, runs.c.automation_id == series.c.id)
    shown = ("name", "status", "kind", "entry_trigger", "audience_type", "updated_at")
    rows = work.connection.execute(
        select(
            series.c.key.label("series"),
            *[series.c[name] for name in shown],
            func.count(runs.c.id).label("enrollments"),
            func.count(runs.c.id).filter(runs.c.ended_at.is_(None)).label("active"),
        )
        .select_from(series.outerjoin(runs, in_it))
        .where(series.c.org_id == work.org_id)
        .group_by(series.c.org_id, series.c.id)
        .order_by(series.c.created_at, series.c.id)
    ).mappings()
    return [SeriesLine.model_validate(dict(row)) for row in rows]

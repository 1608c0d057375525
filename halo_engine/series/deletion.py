"""Deleting a draft: nobody was ever in it, so nothing refers to it (contract §8)."""

from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Select, delete, select

from halo_engine.domain.errors import conflict, not_found
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.series.locks import lock_series_for_change
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_steps, automations
from halo_engine.work import Work


def delete_draft(work: Work, key: str) -> None:
    """Delete the draft ``key`` with all of it; it may be one that this code cannot read.

    Raises 404 for an unknown series, 409 for one that was ever activated.
    """
    work = lock_series_for_change(work)
    series = work.connection.execute(_find_draft(work, key)).one_or_none()
    if series is None:
        raise not_found("series", key)
    if series.status != SeriesStatus.DRAFT:
        problem = f"Series ‘{key}’ is {series.status}; only one that is draft can be deleted."
        raise conflict("not_draft", problem)
    work.connection.execute(_delete_steps(work, series.id))
    work.connection.execute(_delete_series(work, series.id))


@statement("find_draft")
def _find_draft(work: Work, series_key: str) -> Select[Any]:
    is_it = (automations.c.org_id == work.org_id, automations.c.key == series_key)
    return select(automations.c.id, automations.c.status).where(*is_it)


@statement("delete_steps")
def _delete_steps(work: Work, series_id: UUID) -> Delete:
    steps = automation_steps
    return delete(steps).where(steps.c.org_id == work.org_id, steps.c.automation_id == series_id)


@statement("delete_series")
def _delete_series(work: Work, series_id: UUID) -> Delete:
    series = automations
    return delete(series).where(series.c.org_id == work.org_id, series.c.id == series_id)

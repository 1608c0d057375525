"""Discards of ``segment_match`` series, and whether their contacts are outside now (§4, §19)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    FromClause,
    Select,
    Update,
    Uuid,
    and_,
    case,
    false,
    func,
    literal,
    select,
    update,
)

from halo_engine.audience.compiler import Subject
from halo_engine.audience.matching import audience, scan
from halo_engine.domain.series.definition import Series
from halo_engine.sql.statements import statement
from halo_engine.tables import discarded_entries
from halo_engine.work import Work

_GONE = discarded_entries


def discards_seen(work: Work, series: Sequence[Series]) -> tuple[Select[Any], FromClause]:
    """Select the discards of ``series``, each with whether its contact is ``outside`` now; return
    the contacts too, for further conditions.
    """
    subject = Subject.of_contacts()
    holds = {each.id: audience(each, subject, work.moment) for each in series}
    contact = subject.contact
    its = and_(_GONE.c.org_id == contact.c.org_id, _GONE.c.end_user_id == contact.c.id)
    whether = [(_GONE.c.automation_id == id_, ~held) for id_, held in holds.items()]
    ids = literal(list(holds), ARRAY(Uuid()))
    rows = (
        select(
            _GONE.c.automation_id,
            _GONE.c.end_user_id,
            case(*whether, else_=false()).label("outside"),
        )
        .select_from(scan(subject, list(holds.values())).join(_GONE, its))
        .where(
            contact.c.org_id == work.org_id,
            # Written so that no index on the series can be used.
            func.array_position(ids, _GONE.c.automation_id).is_not(None),
        )
    )
    return rows, contact


def rebase_discards(work: Work, series: Series) -> None:
    """Note whom the new definition puts outside: they did not leave (guard 8)."""
    if series.has_surges:
        work.connection.execute(_rebasing(work, series))


@statement("rebase_discards")
def _rebasing(work: Work, series: Series) -> Update:
    rows, _ = discards_seen(work, [series])
    seen = rows.cte("seen")
    return (
        update(_GONE)
        .where(
            _GONE.c.org_id == work.org_id,
            _GONE.c.automation_id == series.id,
            _GONE.c.end_user_id == seen.c.end_user_id,
            _GONE.c.outside_by_definition != seen.c.outside,
        )
        .values(outside_by_definition=seen.c.outside)
    )

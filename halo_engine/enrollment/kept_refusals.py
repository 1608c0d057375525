"""Kept refusals: why a trigger that fires at an instant enrolled nobody, for answers (§4, §10)."""

from typing import Final
from uuid import UUID

from sqlalchemy import CTE, and_, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.series.guards import ReasonCode
from halo_engine.enrollment.patience import are_judged_again
from halo_engine.sql.metadata import arrivals
from halo_engine.tables import enrollment_refusals

#: Who is held is noted by itself (``surges.holding``).
_UNKEPT: Final = (ReasonCode.ALREADY_ACTIVE, ReasonCode.SURGE_HELD)


def keep_refusals(org_id: UUID, verdicts: CTE, *, surges: bool = False) -> CTE:
    """Keep the latest refusal of triggers that fire at an instant; write only what is new.

    ``surges``: some candidates may be held.
    """
    kept = enrollment_refusals.alias("kept")
    news = (
        select(
            literal(org_id),
            verdicts.c.automation_id,
            verdicts.c.end_user_id,
            verdicts.c.code,
            verdicts.c.entered_at,
            arrivals.next_value(),
        )
        .select_from(
            verdicts.outerjoin(
                kept,
                and_(
                    kept.c.org_id == org_id,
                    kept.c.automation_id == verdicts.c.automation_id,
                    kept.c.end_user_id == verdicts.c.end_user_id,
                ),
            )
        )
        .where(
            verdicts.c.keeps_refusals,
            # Who goes on waiting keeps the refusal of its trigger.
            *([verdicts.c.audience_holds] if are_judged_again(verdicts) else []),
            *[verdicts.c.code != code.value for code in (_UNKEPT if surges else _UNKEPT[:1])],
            or_(
                kept.c.code.is_(None),
                kept.c.code != verdicts.c.code,
                kept.c.arrival < verdicts.c.latest_id,
            ),
        )
    )
    key = ("org_id", "automation_id", "end_user_id")
    said = ("code", "refused_at", "arrival")
    keeping = insert(enrollment_refusals).from_select([*key, *said], news, include_defaults=False)
    return (
        keeping.on_conflict_do_update(
            index_elements=key, set_={name: keeping.excluded[name] for name in said}
        )
        .returning(*[enrollment_refusals.c[name] for name in (*key, "code", "refused_at")])
        .cte("refused")
    )

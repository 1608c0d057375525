"""What an activation would do, in numbers, before it is done (contract §18)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, func, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import conflict
from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.series.decisions import first_mail
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.times.instants import Instant
from halo_engine.enrollment.candidates import Outsiders
from halo_engine.enrollment.guards import judge
from halo_engine.enrollment.losers import foreseen_losers
from halo_engine.series.surges.automatic import work_out
from halo_engine.sql.statements import statement
from halo_engine.sql.statistics import analyze_unknown
from halo_engine.work import Work


class Activation(Answer):
    """How many contacts an activation enrolls, when their first mail goes, and who is left out.

    ``first_mail_at`` is None if no mail follows. ``takes_seconds`` is how long the first mails take
    at the rate that is set; None without a rate. ``left_out`` counts the contacts whom the audience
    holds, by the guard that refuses them. ``surge_at_most`` is how many a span of its surge takes
    from then on, which is worked out now where the definition says ``auto``.
    """

    series: str
    enrolls: int
    first_mail_at: Instant | None
    takes_seconds: float | None
    left_out: Mapping[ReasonCode, int]
    surge_at_most: int | None = None


def foresee(work: Work, series: Series, per_second: float | None = None) -> Activation:
    """Return what activating ``series`` now would do; a series that waits for a trigger enrolls
    nobody yet. ``per_second`` is how many mails may go in a second.
    """
    counts = _counts(work, series)
    enrolls = counts.pop(None, 0)
    return Activation(
        series=series.key,
        enrolls=enrolls,
        first_mail_at=first_mail(series, work.now) if enrolls else None,
        takes_seconds=enrolls / per_second if per_second else None,
        left_out={code: counts[code] for code in ReasonCode if code in counts},
        surge_at_most=work_out(work, series) or series.surge_at_most,
    )


def refuse_beyond(work: Work, series: Series, at_most: int | None) -> None:
    """Raise a 409 if activating ``series`` enrolls more contacts than a caller expects."""
    if at_most is None:
        return
    enrolls = foresee(work, series).enrolls
    if enrolls > at_most:
        problem = f"Activating ‘{series.key}’ enrolls {enrolls} contacts; {at_most} were expected"
        raise conflict("more_than_expected", f"{problem}. Allowed is to expect more of them.")


def _counts(work: Work, series: Series) -> dict[str | None, int]:
    if series.entry_trigger not in (EntryTrigger.MANUAL, EntryTrigger.SEGMENT_MATCH):
        return {}
    analyze_unknown(work.connection)
    active = replace(series, status=SeriesStatus.ACTIVE)
    losers = foreseen_losers(work, [active], Outsiders(work.now, series.id))
    rows = work.connection.execute(_count_activation(work, active), losers)
    return {row.code: row.contacts for row in rows}


@statement("count_activation")
def _count_activation(work: Work, series: Series) -> Select[Any]:
    everybody = Outsiders(work.now, series.id)
    verdicts = judge(work.org_id, [series], work.moment, everybody)
    return select(verdicts.c.code, func.count().label("contacts")).group_by(verdicts.c.code)

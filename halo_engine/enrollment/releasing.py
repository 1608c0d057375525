"""Release whoever is held: judged by all other guards as of now, in order of arrival (§19)."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import CTE, FromClause, Select, exists, select, true

from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.surges import Pace
from halo_engine.enrollment.enroll import Admission, enroll
from halo_engine.enrollment.events import EVENT_ID
from halo_engine.enrollment.rules import rules_of
from halo_engine.enrollment.surges.discards import discard_held
from halo_engine.enrollment.surges.locks import lock_surges
from halo_engine.enrollment.surges.pacing import keep_pace, look_at_queue, read_pace
from halo_engine.series.cache import running_series
from halo_engine.series.completion import complete_finished
from halo_engine.series.lifecycle import find_in
from halo_engine.series.locks import hold_series_still
from halo_engine.series.noting import note_series
from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import held_entries
from halo_engine.work import Work

#: How many held contacts one transaction judges.
PAGE: Final = 20_000


@dataclass(frozen=True)
class HeldBack:
    """The first contacts that are held in a series, at most ``limit``.

    They enter by an order, so the surge neither counts nor holds them. ``at_a_pace``: who enters is
    counted for the release itself.
    """

    org_id: UUID
    series_id: UUID
    limit: int
    now: datetime
    at_a_pace: bool = False
    matching_only: ClassVar[bool] = False
    contact_ids: ClassVar[None] = None
    planned: ClassVar[bool] = True
    of_activation: ClassVar[bool] = False
    brings_events: ClassVar[bool] = True

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""
        return HeldBack, self.at_a_pace

    @property
    def instants(self) -> Collection[datetime]:
        """They enter now."""
        return [self.now]

    @property
    def values(self) -> Mapping[str, Any]:
        """In which series, how many, and the instant."""
        whose = {"org_id": self.org_id, "series_id": self.series_id}
        return {**whose, "limit": self.limit, "entered_at": self.now}

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at the first of them; the statement that enrolls frees their places."""
        held = held_entries
        first = (
            select(held.c.end_user_id, held.c.id.label("held_place"), held.c[EVENT_ID])
            .where(
                held.c.org_id == parameter("org_id"),
                held.c.automation_id == parameter("series_id"),
            )
            .order_by(held.c.id)
            .limit(parameter("limit"))
            .subquery("first")
        )
        entered_at = parameter("entered_at").label("entered_at")
        paced = [true().label("at_a_pace")] if self.at_a_pace else []
        return select(entered_at, first.c.held_place, first.c[EVENT_ID], *paced).select_from(
            contacts.join(first, first.c.end_user_id == contact.c.id)
        )

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Judge each, whether it matches or not: its refusal is kept (§4)."""
        rules = rules_of(series)
        return select(scanned, *rules.c).select_from(scanned.join(rules, true()))


@dataclass(frozen=True, slots=True)
class Released:
    """What came of some who were held; ``unfinished`` if others still are."""

    admissions: Sequence[Admission]
    unfinished: bool


def release_held(work: Work, key: str, limit: int = PAGE) -> Released:
    """Release the first contacts that are held in the series, at most ``limit`` (contract §19).

    It ends a release at a pace. Raises 409 unless the series is active.
    """
    work = hold_series_still(work)
    series = find_in(work, key, SeriesStatus.ACTIVE, "released")
    if not series.has_surges:
        return Released((), unfinished=False)
    lock_surges(work, [series])
    note_series(work, series.id)
    admissions = enroll(work, [series], HeldBack(work.org_id, series.id, limit, work.now))
    complete_finished(work, [series])
    keep_pace(work, series, None)
    return Released(admissions, unfinished=bool(work.connection.scalar(_check_held(work, series))))


def release_at(work: Work, key: str, pace: Pace) -> Released:
    """Begin to release whoever is held at a pace, in place of a release that is under way: let in
    who may enter now; each tick lets in who may enter then (contract §19).

    Raises 409 unless the series is active.
    """
    work = hold_series_still(work)
    series = find_in(work, key, SeriesStatus.ACTIVE, "released")
    if not series.has_surges:
        return Released((), unfinished=False)
    lock_surges(work, [series])
    return _go_on(work, series, pace)


def go_on_releasing(
    work: Work, without: Mapping[UUID, str], taken: list[UUID] | None = None
) -> list[Admission]:
    """Let in who may enter now of those who are released at a pace, in all series but those that
    are withheld. Series are added to ``taken`` before they are handled.
    """
    work = hold_series_still(work)
    releasing = running_series(work).without(without).releasing
    lock_surges(work, releasing)
    admissions: list[Admission] = []
    for series in releasing:
        if taken is not None:
            taken.append(series.id)
        # Somebody may have ended the release, or begun another, before the lock was held.
        pace = read_pace(work, series)
        if pace is not None:
            admissions += _go_on(work, series, pace).admissions
    return admissions


def _go_on(work: Work, series: Series, pace: Pace) -> Released:
    """Judge the first who are held until as many have entered as may; guards may refuse some."""
    admissions: list[Admission] = []
    judged = 0
    queue = look_at_queue(work, series, pace)
    if queue.waits and queue.room > 0:
        note_series(work, series.id)
    while queue.waits and (limit := min(queue.room, PAGE - judged)) > 0:
        first = HeldBack(work.org_id, series.id, limit, work.now, at_a_pace=True)
        admissions += enroll(work, [series], first)
        judged += limit
        queue = look_at_queue(work, series, pace)
    complete_finished(work, [series])
    keep_pace(work, series, pace if queue.waits else None)
    return Released(admissions, unfinished=queue.waits)


def discard_everybody(work: Work, key: str) -> int:
    """Let whoever is held in the series go for good; return how many there were (contract §19).

    Raises 409 unless the series is active.
    """
    work = hold_series_still(work)
    return discard_held(work, find_in(work, key, SeriesStatus.ACTIVE, "released"))


@statement("check_somebody_is_held")
def _check_held(work: Work, series: Series) -> Select[Any]:
    held = held_entries
    is_held = exists().where(held.c.org_id == work.org_id, held.c.automation_id == series.id)
    return select(is_held)

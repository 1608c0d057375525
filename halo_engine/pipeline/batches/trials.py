"""Trials: what contacts' changes would do in series, by doing them and rolling them back.

A trial goes through the same statements, the same exits and the same guards, so it cannot disagree
with what it tries (decision 60). It holds the same locks, so only so many rows are tried at once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Select, Uuid, any_, func, literal, select

from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.decisions import Exit
from halo_engine.domain.series.exits import ExitReason
from halo_engine.enrollment.candidates import Found
from halo_engine.enrollment.enroll import Admission, enroll
from halo_engine.journey.claim import Run
from halo_engine.pipeline.react import Choice, react
from halo_engine.series.cache import running_series
from halo_engine.series.locks import hold_series_still
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, signals
from halo_engine.work import Work

#: So many rows are tried; some five seconds.
MOST_TRIED: Final = 10_000
_BATCH: Final = 1_000


class Effects(Answer):
    """What would happen in active series.

    ``starts`` says how many contacts each series would enroll at once, ``starts_later`` how many at
    its next re-evaluation. ``leaves`` says how many of those who are in a series would leave it at
    once, by exit reason.
    """

    starts: Mapping[str, int]
    starts_later: Mapping[str, int]
    leaves: Mapping[str, Mapping[ExitReason, int]]


@dataclass(slots=True)
class Trial:
    """A trial under way in ``work``; ``begun`` is the last signal from before it."""

    work: Work
    begun: int
    _starts: Counter[str] = field(default_factory=Counter)
    _starts_later: Counter[str] = field(default_factory=Counter)
    _leaves: dict[str, Counter[ExitReason]] = field(default_factory=dict)

    def react(self, contacts: Collection[UUID]) -> None:
        """Let series react to what was written of ``contacts``: once, when all is written."""
        ids = list(contacts)
        inside = _active_runs(self.work, ids)
        for batch in _batches(_signals_after(self.work, self.begun, ids)):
            reaction = react(self.work, len(batch), Choice(only=batch, planned=True))
            if reaction is not None:
                _count(self._starts, reaction.admissions)
                self._count_exits(reaction.exits, inside)
        _count(self._starts_later, _admitted_later(self.work, ids))

    def effects(self) -> dict[str, Any]:
        """Return the fields of ``Effects``."""
        return {
            "starts": dict(sorted(self._starts.items())),
            "starts_later": dict(sorted(self._starts_later.items())),
            "leaves": {key: dict(sorted(each.items())) for key, each in self._in_order()},
        }

    def _in_order(self) -> list[tuple[str, Counter[ExitReason]]]:
        return sorted(self._leaves.items())

    def _count_exits(self, exits: Iterable[Exit], inside: Collection[Run]) -> None:
        for each in exits:
            if Run(each.contact_id, each.series.id, each.number) in inside:
                self._leaves.setdefault(each.series.key, Counter())[each.reason] += 1


@contextmanager
def trying(work: Work) -> Iterator[Trial]:
    """Begin a trial; all that is done with its ``work`` is rolled back at the end."""
    # What a process caches of the organisation must not hold what is rolled back.
    org = replace(work.org, known_fields=set(work.org.known_fields))
    work = replace(work, org=org)
    savepoint = work.connection.begin_nested()
    try:
        yield Trial(work, work.connection.scalar(_read_last_signal()) or 0)
    finally:
        savepoint.rollback()


@statement("read_last_signal")
def _read_last_signal() -> Select[Any]:
    return select(func.coalesce(func.max(signals.c.id), 0))


def _active_runs(work: Work, contacts: list[UUID]) -> set[Run]:
    return {Run(*row) for row in work.connection.execute(_read_active_runs(work, contacts))}


@statement("read_active_runs")
def _read_active_runs(work: Work, contact_ids: list[UUID]) -> Select[Any]:
    runs = automation_enrollments
    return select(runs.c.end_user_id, runs.c.automation_id, runs.c.number).where(
        runs.c.org_id == work.org_id,
        runs.c.end_user_id == any_(literal(contact_ids, ARRAY(Uuid()))),
        runs.c.ended_at.is_(None),
    )


def _signals_after(work: Work, last: int, contacts: list[UUID]) -> list[tuple[int, UUID]]:
    """Return the signals about the contacts that came after ``last``, in order of arrival."""
    return [
        (row.id, row.end_user_id)
        for row in work.connection.execute(_read_signals_after(work, last, contacts))
    ]


@statement("read_signals_after")
def _read_signals_after(work: Work, signal_id: int, contact_ids: list[UUID]) -> Select[Any]:
    return (
        select(signals.c.id, signals.c.end_user_id)
        .where(
            signals.c.org_id == work.org_id,
            signals.c.id > literal(signal_id, BigInteger()),
            signals.c.end_user_id == any_(literal(contact_ids, ARRAY(Uuid()))),
        )
        .order_by(signals.c.id)
    )


def _batches(written: Iterable[tuple[int, UUID]]) -> Iterator[list[int]]:
    """Cut signals into batches as a worker would: before a contact's second one (``inbox``)."""
    batch: dict[UUID, int] = {}
    for signal, contact in written:
        if contact in batch or len(batch) == _BATCH:
            yield list(batch.values())
            batch = {}
        batch[contact] = signal
    if batch:
        yield list(batch.values())


def _admitted_later(work: Work, contacts: list[UUID]) -> list[Admission]:
    """Enroll whom ``segment_match`` series would find at a re-evaluation."""
    work = hold_series_still(work)
    matching = [
        each
        for each in running_series(work).series
        if each.is_active and each.entry_trigger is EntryTrigger.SEGMENT_MATCH
    ]
    if not matching or not contacts:
        return []
    found = Found(contacts, work.now, planned=True)
    return enroll(work, matching, found)


def _count(counts: Counter[str], admissions: Iterable[Admission]) -> None:
    for each in admissions:
        if each.code is None:
            counts[each.series.key] += each.count

"""Gather the facts that exit rules and steps need, for a set of runs, in one statement.

What no rule or step of the set asks for is not computed. Rows with equal facts are returned as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from halo_engine.audience.moments import Moment
from halo_engine.domain.series.decisions import DueFacts, RunFacts, SeatHolder, Seating
from halo_engine.domain.series.definition import Series, Step
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason, OutsideAudience
from halo_engine.domain.times.frequency import allowed_from
from halo_engine.domain.times.quiet_hours import contact_zone
from halo_engine.journey.claim import Claimed, DueRow, Run
from halo_engine.journey.questions import about_rows, about_rows_alike, about_runs
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.rows import array_text, asked_values

#: Keyed by organisation, kind of statement, series and steps.
_KEPT: Final = StatementCache()
_QUESTIONS: Final = [(rule.key, rule.asks) for rule in EXIT_RULES if rule.asks is not None]


def gather_runs(
    connection: Connection,
    org_id: UUID,
    moment: Moment,
    series: Mapping[UUID, Series],
    runs: Sequence[Run],
) -> list[RunFacts]:
    """Return the facts of ``runs``, all of whose series are in ``series``; their order is not
    kept.
    """
    ids = sorted({run.series_id for run in runs})
    asked = tuple(series[id_] for id_ in ids)
    numbers = {id_: number for number, id_ in enumerate(ids)}
    values = {
        "ordinal": range(len(runs)),
        "end_user_id": [run.contact_id for run in runs],
        "automation_id": [run.series_id for run in runs],
        "number": [run.number for run in runs],
        "series": [numbers[run.series_id] for run in runs],
    }
    statement = _KEPT.get(
        (org_id, "runs", asked), lambda: about_runs(org_id, asked), size=len(asked)
    )
    return [
        _run_facts(row, series[runs[row["ordinal"]].series_id])
        for row in statement.rows(connection, asked_values("given", values), moment)
    ]


def gather_due(
    connection: Connection,
    org_id: UUID,
    moment: Moment,
    series: Mapping[UUID, Series],
    rows: Sequence[DueRow],
) -> list[DueFacts]:
    """Return the facts of each of ``rows``, in their order."""
    asked = _Asked.of(series, {row.step_id: row.run.series_id for row in rows})
    at_step: dict[UUID, list[int]] = {}
    for row in rows:
        at_step.setdefault(row.step_id, []).append(row.id)
    statement = _KEPT.get(
        (org_id, "rows", asked.series, asked.step_ids),
        lambda: about_rows(org_id, asked.series, asked.steps),
        size=len(asked.series),
    )
    found = {
        row["recipient_id"]: _due_facts(row, asked, [row["recipient_id"]])
        for row in statement.rows(connection, asked.values(at_step), moment)
    }
    return [found[row.id] for row in rows]


def gather_alike(
    connection: Connection,
    org_id: UUID,
    moment: Moment,
    series: Mapping[UUID, Series],
    claimed: Sequence[Claimed],
) -> list[DueFacts]:
    """Return the facts of claimed rows, those with equal facts together, ordered by the earliest
    due.

    Rows at an email come one by one, and so do rows of series that are one per company.
    """
    asked = _Asked.of(series, {each.step_id: each.series_id for each in claimed})
    values = asked.values({each.step_id: each.recipient_ids for each in claimed})
    statement = _KEPT.get(
        (org_id, "alike", asked.series, asked.step_ids),
        lambda: about_rows_alike(org_id, asked.series, asked.steps, asked.alone()),
        size=len(asked.series),
    )
    return [
        _due_facts(row, asked, row["recipient_ids"])
        for row in statement.rows(connection, values, moment)
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a statement about rows is built from: the series, and the steps at which the rows are.

    ``in_series`` has for each step the number of its series.
    """

    series: tuple[Series, ...]
    steps: tuple[Step, ...]
    in_series: tuple[int, ...]

    @classmethod
    def of(cls, series: Mapping[UUID, Series], steps: Mapping[UUID, UUID]) -> "_Asked":
        """Return the parts of the statement for ``steps``, a mapping of steps to their series."""
        ids = sorted(set(steps.values()))
        ordered = sorted(steps, key=lambda step: (steps[step], step))
        return cls(
            tuple(series[id_] for id_ in ids),
            tuple(series[steps[step]].steps_by_id[step] for step in ordered),
            tuple(ids.index(steps[step]) for step in ordered),
        )

    @property
    def step_ids(self) -> tuple[UUID, ...]:
        """The steps' ids, as part of a cache key; the series hold their content."""
        return tuple(step.id for step in self.steps)

    def alone(self) -> list[int]:
        """Return the steps whose rows come one by one: each mail and each seat has its contact."""
        return [
            number
            for number, (step, ordinal) in enumerate(zip(self.steps, self.in_series, strict=True))
            if step.email is not None or self.series[ordinal].settings.one_per_company
        ]

    def values(self, rows: Mapping[UUID, Sequence[int]]) -> dict[str, Sequence[Any]]:
        """Return the statement's parameters for the rows at each step."""
        return asked_values(
            "given",
            {
                "ids": [array_text(map(str, rows[step.id])) for step in self.steps],
                "series": self.in_series,
                "step": range(len(self.steps)),
            },
        )


def _run_facts(row: Mapping[str, Any], series: Series) -> RunFacts:
    return RunFacts(
        series=series,
        contact_id=row["end_user_id"],
        number=row["number"],
        seating=_seating(row),
        holding=frozenset(_holding(row, series)),
    )


def _holding(row: Mapping[str, Any], series: Series) -> Iterator[ExitReason]:
    """Yield the exit rules whose question is answered with yes."""
    for key, asks in _QUESTIONS:
        if isinstance(asks, OutsideAudience):
            if asks.concerns(series) and not row["audience_holds"]:
                yield key
        elif row[key]:
            yield key


def _seating(row: Mapping[str, Any]) -> Seating | None:
    if row["enrolled_at"] is None:
        return None
    holder = SeatHolder(
        row["holder_id"],
        row["holder_number"],
        row["holder_enrolled_at"],
        row["holder_enrollment_id"],
    )
    return Seating(
        row["enrolled_at"],
        row["enrollment_id"],
        row["company_id"],
        row["company_seat"],
        holder if row["holder_id"] else None,
    )


def _due_facts(row: Mapping[str, Any], asked: _Asked, recipient_ids: Sequence[int]) -> DueFacts:
    step = asked.steps[row["step"]]
    series = asked.series[row["series"]]
    return DueFacts(
        run=_run_facts(row, series),
        recipient_ids=recipient_ids,
        step=step,
        has_address=row["has_address"],
        condition_holds=bool(step.condition and row[step.condition.type]),
        visited=row["visited"] or (),
        zone=contact_zone(row["zone"]),
        latest=row["first_due"] + step.send_by if step.send_by is not None else None,
        capped_until=allowed_from(series.hours.caps, row["mailed"] or ()),
    )

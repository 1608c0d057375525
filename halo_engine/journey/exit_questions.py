"""The questions that exit rules ask of a run, in SQL: a column for each of ``EXIT_RULES`` (§6).

A rule's column is named after it, and NULL or false if no series of the set asks it. Rules about
the audience share the column ``audience_holds``, which emails of a list series read too (§5).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, case, exists, null, tuple_

from halo_engine.audience.compiler import Subject, predicate
from halo_engine.audience.fired import Awaited, fired_since
from halo_engine.audience.matching import is_in_source, suppressed
from halo_engine.audience.moments import ANY_MOMENT, When
from halo_engine.audience.numbered import Numbered, of_number
from halo_engine.domain.reasons import AudienceType
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import (
    EXIT_RULES,
    ExitReason,
    ExitRule,
    Fired,
    Matches,
    OutsideAudience,
    Replied,
    Suppressed,
)
from halo_engine.tables import automation_enrollments, messages


@dataclass(frozen=True, slots=True)
class ExitQuestions:
    """The questions of the exit rules of ``series``; a series is known by its number among them.

    ``audiences`` and ``matches`` are predicates on the contact, for the scan.
    """

    series: Sequence[Series]
    subject: Subject
    audiences: Numbered
    matches: Mapping[ExitReason, Numbered]
    moment: When

    @classmethod
    def of(cls, series: Sequence[Series], subject: Subject, moment: When = ANY_MOMENT) -> Self:
        """Compile the filters that the rules of these series ask about."""
        return cls(
            series,
            subject,
            [
                (n, is_in_source(each, subject, moment))
                for n, each in enumerate(series)
                if _asks_audience(each)
            ],
            {
                rule.key: [
                    (n, predicate(rule.asks.filters(each.settings), subject, moment))
                    for n, each in _asking(rule, series)
                ]
                for rule in EXIT_RULES
                if isinstance(rule.asks, Matches)
            },
            moment,
        )

    @property
    def predicates(self) -> Sequence[ColumnElement[bool]]:
        """All predicates, for the scan."""
        return [
            each for numbered in (self.audiences, *self.matches.values()) for _, each in numbered
        ]

    @property
    def need_run(self) -> bool:
        """Whether an answer depends on when the run began."""
        return any(
            rule.asks is not None and rule.asks.is_since_entry and _asking(rule, self.series)
            for rule in EXIT_RULES
        )

    def columns(
        self,
        org_id: UUID,
        given: FromClause,
        is_suppressed: ColumnElement[bool] | None = None,
    ) -> Iterator[ColumnElement[Any]]:
        """Yield the answers for the runs that are ``given``, each with the number of its series.

        ``is_suppressed`` says of a contact whether it is, where the scan has joined that.
        """
        yield of_number(given.c.series, self.audiences).label("audience_holds")
        began = (automation_enrollments.c.created_at, automation_enrollments.c.id)
        for rule in EXIT_RULES:
            match rule.asks:
                case Replied():
                    asking = _asking(rule, self.series)
                    answer = _replied(org_id, given, began) if asking else null()
                case Fired(name, filters):
                    awaited = [
                        Awaited(n, name(each.settings) or "", filters(each.settings))
                        for n, each in _asking(rule, self.series)
                    ]
                    kept = automation_enrollments.c.event_properties
                    answer = fired_since(
                        org_id, given, given.c.series, awaited, began, kept, self.moment
                    )
                case Matches():
                    answer = of_number(given.c.series, self.matches[rule.key])
                case Suppressed():
                    answer = suppressed(self.subject) if is_suppressed is None else is_suppressed
                case _:
                    continue
            yield answer.label(rule.key)


def first_that_fires(series: Series, answered: FromClause) -> ColumnElement[str | None]:
    """Return the exit rule that ends a run, from the answers to the questions of its series alone.

    It takes the first in the order of §6's table, as ``decisions.exit_reason`` does.
    """
    fires = []
    for rule in EXIT_RULES:
        if _asking(rule, [series]):
            is_outside = isinstance(rule.asks, OutsideAudience)
            held = ~answered.c.audience_holds if is_outside else answered.c[rule.key]
            fires.append((held, rule.key.value))
    return case(*fires, else_=null())


def _asking(rule: ExitRule, series: Sequence[Series]) -> list[tuple[int, Series]]:
    """Return the series that ask the rule's question, each with its number."""
    asks = rule.asks
    return [
        (n, each)
        for n, each in enumerate(series)
        if asks is not None and rule.is_on(each) and asks.concerns(each)
    ]


def _asks_audience(series: Series) -> bool:
    """Return whether the series asks if a contact is still in its audience or list (§5, §6)."""
    return series.audience_type is AudienceType.SUBSCRIPTION or any(
        isinstance(rule.asks, OutsideAudience) and _asking(rule, [series]) for rule in EXIT_RULES
    )


def _replied(org_id: UUID, given: FromClause, since: tuple[Any, Any]) -> ColumnElement[bool]:
    """Whether any email of the series, also an earlier run's, was replied to since the run
    began.
    """
    return exists().where(
        messages.c.org_id == org_id,
        messages.c.end_user_id == given.c.end_user_id,
        messages.c.automation_id == given.c.automation_id,
        tuple_(messages.c.replied_at, messages.c.reply_arrival) > tuple_(*since),
    )

"""Observing runs: who was seen outside the audience, and which goals began to hold (contract §4,
§7).

Both are notes for later decisions and change no enrollment, so one statement writes them, and only
to the rows whose notes change.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    DateTime,
    Executable,
    FromClause,
    Update,
    Uuid,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from halo_engine.audience.compiler import Subject, custom_reads, predicate
from halo_engine.audience.lookups.firings import Firings, happened_after
from halo_engine.audience.matching import audience, scan
from halo_engine.audience.moments import ANY_MOMENT
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.happenings import Happening, Kinds
from halo_engine.enrollment.pages import ContactRange
from halo_engine.happenings import Happened, note_happenings
from halo_engine.sql.cache import StatementCache
from halo_engine.sql.parameters import parameter
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_enrollments, automation_recipients, events
from halo_engine.tables.events import came_since
from halo_engine.work import Work

_RUNS = automation_enrollments
_INSTANT: Final = DateTime(timezone=True)
_NOW: Final = ANY_MOMENT.parameter(lambda at: at.now, _INSTANT)
#: Keyed by organisation, kind of ``Observed``, series, and what webhooks ask for.
_KEPT: Final = StatementCache()


@dataclass(frozen=True)
class Observed:
    """The runs to look at: those of ``contacts``, of the rows ``recipients``, or of a ``page``."""

    contacts: Collection[UUID] | None = None
    recipients: Collection[int] | None = None
    page: ContactRange | None = None

    @property
    def shape(self) -> Hashable:
        """What a statement about these runs depends on."""
        if self.page is not None:
            return "page", self.page.kind
        return "contacts" if self.contacts is not None else "recipients"

    @property
    def values(self) -> Mapping[str, Any]:
        """Whose runs they are, as parameters."""
        if self.page is not None:
            return self.page.values()
        if self.contacts is not None:
            return {"contact_ids": list(self.contacts)}
        return {"row_ids": list(self.recipients or ())}

    def is_in(self, series: Sequence[Series]) -> ColumnElement[bool]:
        """Return whether a run is in one of the series."""
        ids = literal([each.id for each in series], ARRAY(Uuid()))
        if self.page is not None and self.page.noted_for is None:
            return _RUNS.c.automation_id == any_(ids)
        # Written so that no index on the series can be used: it would read all of their runs.
        return func.array_position(ids, _RUNS.c.automation_id).is_not(None)

    def includes(self, org_id: UUID, contact: FromClause) -> Sequence[ColumnElement[bool]]:
        """Return the conditions under which a contact's runs are looked at."""
        if self.page is not None:
            return self.page.holds(contact)
        if self.contacts is not None:
            return [contact.c.id == any_(parameter("contact_ids"))]
        rows = automation_recipients
        having = select(rows.c.end_user_id).where(
            rows.c.org_id == org_id,
            rows.c.id == any_(parameter("row_ids")),
        )
        return [contact.c.id.in_(having)]


def observe(work: Work, series: Sequence[Series], whose: Observed, *, leaving: bool = True) -> None:
    """Note for each run of ``series`` whether its contact left the audience and its goal holds.

    A contact is *seen outside* when the audience does not match, unless a change of the definition
    put it outside (guard 8); such a one was outside once it is seen inside again. That is checked
    with ``leaving`` only. A goal converts when it begins to hold within its window (§7).
    """
    asked = tuple(
        each for each in series if each.goal_filters or (leaving and _remembers_leaving(each))
    )
    if not asked:
        return
    kinds = work.org.webhook_kinds & {Happening.CONVERTED}
    statement = _KEPT.get(
        (work.org_id, whose.shape, leaving, asked, kinds),
        lambda: _statement(work.org_id, asked, whose, kinds, leaving=leaving),
        size=len(asked),
    )
    statement.rows(work.connection, whose.values, work.moment)


@statement("observe_runs", kinds=frozenset(), leaving=True)
def _statement(
    org_id: UUID, series: Sequence[Series], whose: Observed, kinds: Kinds, *, leaving: bool
) -> Executable:
    seen = _seen(org_id, series, whose, leaving=leaving).cte("seen")
    converts = and_(seen.c.goal_holds, ~_RUNS.c.goal_held)
    observed = (
        update(_RUNS)
        .where(
            _RUNS.c.org_id == org_id,
            _RUNS.c.end_user_id == seen.c.end_user_id,
            _RUNS.c.automation_id == seen.c.automation_id,
            _RUNS.c.number == seen.c.number,
            or_(seen.c.has_left, seen.c.goal_holds != _RUNS.c.goal_held),
        )
        .values(
            left_audience=or_(_RUNS.c.left_audience, seen.c.has_left),
            goal_held=func.coalesce(seen.c.goal_holds, _RUNS.c.goal_held),
            converted_at=case((converts, _NOW), else_=_RUNS.c.converted_at),
        )
    )
    return _telling(org_id, observed, seen, kinds) if kinds else observed


def _telling(org_id: UUID, observed: Update, seen: CTE, kinds: Kinds) -> Executable:
    """Return the statement that also tells who converted: goals are asked of no other run."""
    runs = observed.returning(
        _RUNS.c.end_user_id,
        _RUNS.c.automation_id,
        _RUNS.c.number,
        and_(seen.c.goal_holds, _RUNS.c.converted_at.is_not(None)).label("converted"),
    ).cte("observed")
    given = {"enrollment_number": runs.c.number}
    converted = Happened(Happening.CONVERTED, runs, _NOW, given, where=runs.c.converted)
    return (
        select(func.count()).select_from(runs).add_cte(*note_happenings(org_id, kinds, converted))
    )


def _remembers_leaving(series: Series) -> bool:
    return series.entry_trigger is EntryTrigger.SEGMENT_MATCH


def _seen(org_id: UUID, series: Sequence[Series], whose: Observed, *, leaving: bool) -> Any:
    """Select, for each run, whether its contact has left and its goal holds (NULL: not asked)."""
    # Of each run only its own series' filters are evaluated.
    reads = [custom_reads(each.audience_filters, each.goal_filters) for each in series]
    subject = Subject.of_contacts(max(reads))
    since_entry = subject.counting_events(_count_since_enrollment)
    holds = {each.id: audience(each, subject, ANY_MOMENT) for each in series}
    goals = {
        each.id: predicate(each.goal_filters, since_entry, ANY_MOMENT)
        for each in series
        if each.goal_filters
    }
    contact = subject.contact
    source = scan(subject, [*holds.values(), *goals.values()]).join(
        _RUNS, and_(_RUNS.c.org_id == contact.c.org_id, _RUNS.c.end_user_id == contact.c.id)
    )
    # Outside, or inside again though a change of the definition had put it outside: by the next
    # such change it has to be known.
    left = [
        (_RUNS.c.automation_id == each.id, _RUNS.c.outside_by_definition == holds[each.id])
        for each in series
        if leaving and _remembers_leaving(each)
    ]
    begun = [
        (
            and_(_RUNS.c.automation_id == each.id, _within_window(each)),
            goals[each.id],
        )
        for each in series
        if each.id in goals
    ]
    return (
        select(
            _RUNS.c.end_user_id,
            _RUNS.c.automation_id,
            _RUNS.c.number,
            (and_(case(*left, else_=false()), _may_leave()) if left else false()).label("has_left"),
            cast(case(*begun) if begun else null(), Boolean).label("goal_holds"),
        )
        .select_from(source)
        .where(
            contact.c.org_id == org_id,
            whose.is_in(series),
            *whose.includes(org_id, contact),
        )
    )


def _may_leave() -> ColumnElement[bool]:
    """Return whether the run may be marked: the latest one, once."""
    later = _RUNS.alias("later")
    return and_(
        ~_RUNS.c.left_audience,
        ~select(later.c.id)
        .where(
            later.c.org_id == _RUNS.c.org_id,
            later.c.end_user_id == _RUNS.c.end_user_id,
            later.c.automation_id == _RUNS.c.automation_id,
            later.c.number > _RUNS.c.number,
        )
        .exists(),
    )


def _within_window(series: Series) -> ColumnElement[bool]:
    window = timedelta(days=series.settings.goal_window_days)
    opened = ANY_MOMENT.parameter(lambda at: at.now - window, _INSTANT)
    return and_(_RUNS.c.converted_at.is_(None), _RUNS.c.created_at >= opened)


def _count_since_enrollment(firings: Firings) -> ColumnElement[int]:
    """Count what fired after the enrollment; at the same instant, order of arrival decides."""
    return (
        select(func.count())
        .where(
            events.c.org_id == _RUNS.c.org_id,
            events.c.end_user_id == _RUNS.c.end_user_id,
            events.c.name == firings.name,
            tuple_(events.c.happened_at, events.c.id) > tuple_(_RUNS.c.created_at, _RUNS.c.id),
            came_since(_RUNS.c.created_at),
            *happened_after(firings),
        )
        .correlate(_RUNS)
        .scalar_subquery()
    )

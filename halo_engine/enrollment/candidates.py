"""Candidates for the guards: which contacts, for which series (contract §4).

There are four kinds. *Named* candidates come with a signal of their own; a series that keeps
refusals judges them even if they do not match. A *page* is scanned for contacts that match; those
*found* by a pass are known to match. Contacts that are *asked* about are always judged, for an
answer.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    DateTime,
    FromClause,
    Integer,
    Select,
    Uuid,
    any_,
    column,
    exists,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.types import TypeEngine

from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import Signal
from halo_engine.enrollment.events import EVENT_ID, begins_with_event
from halo_engine.enrollment.pages import ContactRange
from halo_engine.enrollment.patience import fired_values
from halo_engine.enrollment.rules import rules_at, rules_of
from halo_engine.sql.parameters import parameter
from halo_engine.sql.rows import asked_values, rows_asked
from halo_engine.tables import automation_enrollments

_INSTANT = DateTime(timezone=True)
_ENTERED_AT = parameter("entered_at").label("entered_at")


class Candidates(Protocol):
    """Candidates, and how they are paired with series, which are given by ordinal.

    ``matching_only``: a contact is a candidate only for series whose audience it matches.
    """

    @property
    def matching_only(self) -> bool:
        """Whether candidates are judged only for series whose audience they match."""

    @property
    def brings_events(self) -> bool:
        """Whether candidates come with the id of an event, for series that begin with one."""

    @property
    def of_activation(self) -> bool:
        """Whether they are part of an activation, which is one set however many pages it takes."""

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Return a scan of ``contacts`` narrowed to the candidates; the caller adds columns."""

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Pair each scanned candidate with the rules of the series that judge it."""


class Entrants(Candidates, Protocol):
    """Candidates who may enter. The statement that enrolls is cached by ``shape`` and series; the
    contacts themselves are parameters (``values``).
    """

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Who they are, as parameters."""

    @property
    def contact_ids(self) -> Collection[UUID] | None:
        """Who they are; None where the statement alone finds them."""

    @property
    def instants(self) -> Collection[datetime]:
        """The instants at which they came, when their runs begin."""

    @property
    def planned(self) -> bool:
        """Whether somebody meant them to enter: the surge neither counts nor holds them (§19)."""


_OF_NAMED: Final[Mapping[str, TypeEngine[Any]]] = {
    "end_user_id": Uuid(),
    "entered_at": _INSTANT,
    "class": Integer(),
}


@dataclass(frozen=True)
class Named:
    """Contacts of signals; ``concerns`` lists the series of each class.

    ``in_order``: each has its ``place`` in the batch, for series with surges.
    """

    contact_ids: Collection[UUID]
    values: Mapping[str, Any]
    instants: Collection[datetime]
    brings_events: bool = False
    in_order: bool = False
    planned: bool = False
    concerns: ClassVar[FromClause] = rows_asked(
        "concerns", {"class": Integer(), "ordinal": Integer()}
    )
    matching_only: ClassVar[bool] = False
    of_activation: ClassVar[bool] = False

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""
        return Named, self.brings_events, self.in_order, self.planned

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at the named contacts only."""
        columns = {**_OF_NAMED, EVENT_ID: BigInteger()} if self.brings_events else _OF_NAMED
        rows = rows_asked("candidates", columns, place="place" if self.in_order else None)
        named = contacts.join(rows, rows.c.end_user_id == contact.c.id)
        return select(*(each for each in rows.c if each.name != "end_user_id")).select_from(named)

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Pair by class; who does not match is judged only by series that keep refusals (§4)."""
        rules = rules_of(series)
        holds = rules.c.ordinal == any_(scanned.c.audiences)
        source = scanned.join(self.concerns, self.concerns.c["class"] == scanned.c["class"]).join(
            rules, (rules.c.ordinal == self.concerns.c.ordinal) & (holds | rules.c.keeps_refusals)
        )
        return select(scanned, *rules.c).select_from(source)


class _Matching:
    """Candidates for every series whose audience they match, all at one instant."""

    matching_only: ClassVar[bool] = True
    brings_events: ClassVar[bool] = False
    now: datetime

    @property
    def of_activation(self) -> bool:
        """Most are not part of an activation."""
        return False

    @property
    def instants(self) -> Collection[datetime]:
        """All of them come now."""
        return [self.now]

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Pair with the series that matched."""
        return matched_pairs(scanned, series)


@dataclass(frozen=True)
class Paged(_Matching):
    """The contacts of a page, for every series whose audience they match."""

    page: ContactRange
    now: datetime
    is_activation: bool = False

    @property
    def of_activation(self) -> bool:
        """Whether the page is one of an activation's."""
        return self.is_activation

    @property
    def planned(self) -> bool:
        """Whether somebody meant them to enter: the surge neither counts nor holds them (§19)."""
        return self.is_activation

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""
        return Paged, self.page.kind, self.is_activation

    @property
    def contact_ids(self) -> Collection[UUID] | None:
        """Who they are, of a page of noted contacts."""
        return self.page.contact_ids

    @property
    def values(self) -> Mapping[str, Any]:
        """The bounds of the page, and the instant."""
        return {**self.page.values(), "entered_at": self.now}

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at every contact of the page."""
        return select(_ENTERED_AT).select_from(contacts).where(*self.page.holds(contact))


@dataclass(frozen=True)
class Outsiders(_Matching):
    """All contacts who are not in a series, if they match it."""

    now: datetime
    series_id: UUID

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at everybody without an active run."""
        runs = automation_enrollments
        # A subquery hides the value: of a series younger than the statistics the planner would
        # expect one run.
        its_id = select(literal(self.series_id, Uuid())).scalar_subquery()
        is_in = exists().where(
            runs.c.org_id == contact.c.org_id,
            runs.c.end_user_id == contact.c.id,
            runs.c.automation_id == its_id,
            runs.c.ended_at.is_(None),
        )
        asked = select(literal(self.now, _INSTANT).label("entered_at")).select_from(contacts)
        return asked.where(~is_in)


@dataclass(frozen=True)
class Found(_Matching):
    """Contacts that were found to match (``newcomers``), for the series they match."""

    contact_ids: Collection[UUID]
    now: datetime
    planned: bool = False

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""
        return Found, self.planned

    @property
    def values(self) -> Mapping[str, Any]:
        """The contacts, and the instant."""
        return {"contact_ids": list(self.contact_ids), "entered_at": self.now}

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at the contacts that were found."""
        found = parameter("contact_ids")
        return select(_ENTERED_AT).select_from(contacts).where(contact.c.id == any_(found))


@dataclass(frozen=True)
class Asked:
    """Contacts that a question is about (None: everybody), for every series."""

    now: datetime
    contacts: Collection[UUID] | None = None
    matching_only: ClassVar[bool] = False
    brings_events: ClassVar[bool] = False
    of_activation: ClassVar[bool] = False

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at the contacts asked about."""
        asked = select(literal(self.now, _INSTANT).label("entered_at")).select_from(contacts)
        if self.contacts is None:
            return asked
        return asked.where(contact.c.id == any_(literal(list(self.contacts), ARRAY(Uuid()))))

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Pair each with every series, whether it matches or not."""
        rules = rules_of(series)
        return select(scanned, *rules.c).select_from(scanned.join(rules, true()))


def matched_pairs(scanned: FromClause, series: Sequence[Series]) -> Select[Any]:
    """Pair each row of ``scanned`` with the rules of those of the series that are in its
    ``audiences``.
    """
    matched = (
        func.unnest(scanned.c.audiences)
        .table_valued(column("ordinal", Integer()), name="matched")
        .render_derived()
    )
    return select(scanned, *rules_at(series, matched.c.ordinal)).select_from(
        scanned.join(matched, true())
    )


def candidates_of_signals(
    signals: Sequence[Signal], running: RunningSeries
) -> tuple[list[Series], Named] | None:
    """Return the series that the signals trigger, and the signals' contacts; None if none is.

    Signals that trigger the same series form a class, so the number of parameters grows with the
    signals, not with signals times series.
    """
    triggered = zip(signals, running.indexes_triggered(signals), strict=True)
    brought = [(signal, indexes) for signal, indexes in triggered if indexes]
    concerned = sorted({index for _, indexes in brought for index in indexes})
    if not concerned:
        return None
    ordinals = {index: ordinal for ordinal, index in enumerate(concerned)}
    classes = {indexes: n for n, indexes in enumerate(dict.fromkeys(each for _, each in brought))}
    pairs = [(class_, ordinals[index]) for indexes, class_ in classes.items() for index in indexes]
    named = [
        (id_, signal, indexes)
        for signal, indexes in brought
        if (id_ := signal.contact_id) is not None
    ]
    contact_ids = [id_ for id_, _, _ in named]
    rows: dict[str, Sequence[Any]] = {
        "end_user_id": contact_ids,
        "entered_at": [signal.arrived_at for _, signal, _ in named],
        "class": [classes[indexes] for _, _, indexes in named],
    }
    series = [running.series[index] for index in concerned]
    brings_events = any(map(begins_with_event, series))
    if brings_events:
        rows[EVENT_ID] = [signal.event_id for _, signal, _ in named]
    concerns = {
        "class": [class_ for class_, _ in pairs],
        "ordinal": [ordinal for _, ordinal in pairs],
    }
    values = {**asked_values("candidates", rows), **asked_values("concerns", concerns)}
    if any(each.patience for each in series):
        values |= fired_values(signal for _, signal, _ in named)
    in_order = any(each.has_surges for each in series)
    return series, Named(contact_ids, values, {*rows["entered_at"]}, brings_events, in_order)

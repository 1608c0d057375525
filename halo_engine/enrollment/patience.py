"""Who waits for data: a contact whose trigger came before what the audience asks for (§23).

``entry_patience`` lets it wait. After each change of it that is not silent, it is judged again by
all guards, until guard 3 lets it pass. Then it enters, or that refusal is kept.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Delete,
    FromClause,
    Integer,
    Select,
    Uuid,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import Signal
from halo_engine.enrollment.events import EVENT_ID
from halo_engine.enrollment.pages import ContactRange
from halo_engine.enrollment.rules import rules_of
from halo_engine.sql.metadata import arrivals
from halo_engine.sql.parameters import parameter
from halo_engine.sql.rows import asked_values, rows_asked
from halo_engine.tables import waiting_entries

_INSTANT: Final = DateTime(timezone=True)
_WAITING: Final = waiting_entries
_KEY: Final = ("org_id", "automation_id", "end_user_id")
#: When the triggers of named candidates fired; they may arrive later.
_FIRED: Final = rows_asked("fired", {"end_user_id": Uuid(), "fired_at": _INSTANT})


@dataclass(frozen=True)
class _Waiting:
    """Candidates for the series that they wait for, judged at the instant of a change of them."""

    matching_only: ClassVar[bool] = False
    of_activation: ClassVar[bool] = False
    brings_events: ClassVar[bool] = True

    def paired(self, scanned: CTE, series: Sequence[Series]) -> Select[Any]:
        """Pair each with the series that it still waits for at that instant."""
        rules = rules_of(series)
        waits = and_(
            _WAITING.c.end_user_id == scanned.c.end_user_id,
            _WAITING.c.automation_id == rules.c.automation_id,
            _WAITING.c.org_id == scanned.c.org_id,
            scanned.c.entered_at <= _WAITING.c.fired_at + rules.c.patience,
        )
        source = self.concerning(scanned, rules).join(_WAITING, waits)
        trigger = _WAITING.c.fired_at, _WAITING.c.event_id.label(EVENT_ID)
        return select(scanned, *rules.c, *trigger).select_from(source)

    def concerning(self, scanned: CTE, rules: FromClause) -> FromClause:
        """Pair each candidate with the series that its change concerns."""
        return scanned.join(rules, literal(True))


@dataclass(frozen=True)
class WaitingNamed(_Waiting):
    """Contacts of signals that may bring data; ``concerns`` lists the series of each class."""

    contact_ids: Collection[UUID]
    values: Mapping[str, Any]
    instants: Collection[datetime]
    planned: bool = False
    rows: ClassVar[FromClause] = rows_asked(
        "candidates", {"end_user_id": Uuid(), "entered_at": _INSTANT, "class": Integer()}
    )
    concerns: ClassVar[FromClause] = rows_asked(
        "concerns", {"class": Integer(), "ordinal": Integer()}
    )

    @property
    def shape(self) -> Hashable:
        """What a statement about them depends on."""
        return WaitingNamed, self.planned

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at those of the named contacts who wait for anything."""
        named = contacts.join(self.rows, self.rows.c.end_user_id == contact.c.id)
        asked = select(self.rows.c.entered_at, self.rows.c["class"], contact.c.org_id)
        return asked.select_from(named).where(_waits(contact))

    def concerning(self, scanned: CTE, rules: FromClause) -> FromClause:
        """Pair by class."""
        concerns = self.concerns
        return scanned.join(concerns, concerns.c["class"] == scanned.c["class"]).join(
            rules, rules.c.ordinal == concerns.c.ordinal
        )


@dataclass(frozen=True)
class WaitingPaged(_Waiting):
    """The contacts of a page, after a change of their company at ``changed_at``."""

    page: ContactRange
    changed_at: datetime
    planned: ClassVar[bool] = False
    shape: ClassVar[Hashable] = "waiting paged"

    @property
    def instants(self) -> Collection[datetime]:
        """All of them are judged as of the change."""
        return [self.changed_at]

    @property
    def contact_ids(self) -> Collection[UUID] | None:
        """Who they are, of a page of noted contacts."""
        return self.page.contact_ids

    @property
    def values(self) -> Mapping[str, Any]:
        """The bounds of the page, and the instant."""
        return {**self.page.values(), "entered_at": self.changed_at}

    def among(self, contacts: FromClause, contact: FromClause) -> Select[Any]:
        """Look at those of the page who wait for anything."""
        asked = select(parameter("entered_at").label("entered_at"), contact.c.org_id)
        return asked.select_from(contacts).where(*self.page.holds(contact), _waits(contact))


def _waits(contact: FromClause) -> ColumnElement[bool]:
    return exists().where(
        _WAITING.c.org_id == contact.c.org_id, _WAITING.c.end_user_id == contact.c.id
    )


def waiting_of_signals(
    signals: Iterable[Signal], running: RunningSeries
) -> tuple[list[Series], WaitingNamed] | None:
    """Return the series that contacts may wait for, and the contacts to whom the signals may have
    brought data; None if there are none.
    """
    if not running.patient:
        return None
    brought = [
        (each.contact_id, each.arrived_at, tuple(series))
        for each in signals
        if each.contact_id is not None and (series := running.waited_for(each))
    ]
    if not brought:
        return None
    ordinals = {each.id: n for n, each in enumerate(running.patient)}
    classes = {series: n for n, series in enumerate(dict.fromkeys(s for _, _, s in brought))}
    pairs = [(n, ordinals[each.id]) for series, n in classes.items() for each in series]
    contact_ids = [contact for contact, _, _ in brought]
    rows: dict[str, Sequence[Any]] = {
        "end_user_id": contact_ids,
        "entered_at": [instant for _, instant, _ in brought],
        "class": [classes[series] for _, _, series in brought],
    }
    concerns = {
        "class": [class_ for class_, _ in pairs],
        "ordinal": [ordinal for _, ordinal in pairs],
    }
    values = {**asked_values("candidates", rows), **asked_values("concerns", concerns)}
    instants = {instant for _, instant, _ in brought}
    return list(running.patient), WaitingNamed(contact_ids, values, instants)


def fired_values(signals: Iterable[Signal]) -> Mapping[str, Any]:
    """Return when the triggers fired, as parameters of the statement that enrolls."""
    fired = [(each.contact_id, each.happened_at) for each in signals if each.contact_id is not None]
    columns: dict[str, Sequence[Any]] = {
        "end_user_id": [id_ for id_, _ in fired],
        "fired_at": [at for _, at in fired],
    }
    return asked_values("fired", columns)


def are_judged_again(verdicts: CTE) -> bool:
    """Return whether the candidates waited; else their triggers have just come."""
    return "fired_at" in verdicts.c


def note_waiting(org_id: UUID, verdicts: CTE) -> list[CTE]:
    """Return what begins and ends waiting, beside the statement that enrolls.

    Who is released from a surge has no trigger, and does not wait (§19).
    """
    if "held_place" in verdicts.c:
        return []
    if are_judged_again(verdicts):
        return [_end(org_id, verdicts, verdicts.c.audience_holds).cte("no_longer_waiting")]
    fired = verdicts.join(_FIRED, _FIRED.c.end_user_id == verdicts.c.end_user_id)
    trigger = select(*verdicts.c, _FIRED.c.fired_at).select_from(fired).cte("trigger")
    is_over = or_(
        trigger.c.audience_holds,
        and_(
            trigger.c.code != ReasonCode.AUDIENCE_MISMATCH.value,
            _WAITING.c.fired_at <= trigger.c.fired_at,
        ),
    )
    return [_begin(org_id, trigger), _end(org_id, trigger, is_over).cte("no_longer_waiting")]


def _begin(org_id: UUID, trigger: CTE) -> CTE:
    """Let those wait whom guard 3 refuses; of two triggers the later one counts."""
    news = select(
        literal(org_id, Uuid()),
        trigger.c.automation_id,
        trigger.c.end_user_id,
        trigger.c.fired_at,
        trigger.c[EVENT_ID] if EVENT_ID in trigger.c else literal(None, BigInteger()),
        arrivals.next_value(),
    ).where(
        trigger.c.code == ReasonCode.AUDIENCE_MISMATCH.value,
        trigger.c.entered_at <= trigger.c.fired_at + trigger.c.patience,
    )
    said = ("fired_at", "event_id", "arrival")
    begun = insert(_WAITING).from_select([*_KEY, *said], news, include_defaults=False)
    return (
        begun.on_conflict_do_update(
            index_elements=_KEY,
            set_={name: begun.excluded[name] for name in said},
            where=begun.excluded.fired_at >= _WAITING.c.fired_at,
        )
        .returning(_WAITING.c.end_user_id)
        .cte("waiting_now")
    )


def _end(org_id: UUID, judged: FromClause, is_over: ColumnElement[bool]) -> Delete:
    return delete(_WAITING).where(
        is_of_pair(org_id, judged), judged.c.patience.is_not(None), is_over
    )


def is_of_pair(org_id: UUID, judged: FromClause) -> ColumnElement[bool]:
    """Return whether a row of ``waiting_entries`` is a judged candidate's."""
    return and_(
        _WAITING.c.org_id == org_id,
        _WAITING.c.automation_id == judged.c.automation_id,
        _WAITING.c.end_user_id == judged.c.end_user_id,
    )


def is_waiting(judged: FromClause, now: datetime) -> ColumnElement[bool]:
    """Return whether the row of ``waiting_entries`` that is joined to a judged candidate still
    counts.
    """
    return and_(
        literal(now, _INSTANT) <= _WAITING.c.fired_at + judged.c.patience,
        _WAITING.c.arrival > func.coalesce(judged.c.latest_id, literal(0, BigInteger())),
    )

"""A plan: what saving a definition would do, without saving it (contract §18)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    Select,
    Text,
    Uuid,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from halo_engine.answers.joins import has_values
from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.fates import PlannedSave, fates
from halo_engine.answers.plans.outside import FEW, Outside, entering
from halo_engine.audience.everybody import APART
from halo_engine.domain.answer import PAGE, Answer
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import Series, SeriesDefinition
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.instants import Instant
from halo_engine.series.checking.warnings import SeriesWarning
from halo_engine.series.files.apply import ApplyResult, result_of
from halo_engine.series.files.check import as_if_saved, check, refused_by_save, unsaved
from halo_engine.series.files.differences import Change, differences
from halo_engine.series.files.tokens import plan_token
from halo_engine.series.rescheduling import Retimed
from halo_engine.series.save import load_saved
from halo_engine.series.surges.automatic import foreseen
from halo_engine.series.writing import load_written
from halo_engine.sql.statements import statement
from halo_engine.tables import end_users
from halo_engine.work import Work


class FatePart(Answer):
    """Contacts of one fate at one ``step``: those who leave for the same reason, or walk to the
    same step ``to``.
    """

    step: str
    exit_reason: ExitReason | None
    to: str | None
    contacts: int
    first: Instant
    last: Instant


class Fate(Answer):
    """How many contacts have a fate, and when the first and the last of them are due."""

    fate: FateName
    contacts: int
    first: Instant
    last: Instant
    parts: tuple[FatePart, ...]


class PlannedContact(Answer):
    """A contact of one fate: at which step, until when it waits now, and until when by the save."""

    id: int
    contact_id: UUID
    external_id: str | None
    email: str | None
    name: str | None
    step: str
    exit_reason: ExitReason | None
    to: str | None
    due_before: Instant
    due_after: Instant


class PlannedContacts(Answer):
    """A page of the contacts of one fate; ``next`` is what to give as ``after`` for the next."""

    fate: FateName
    items: tuple[PlannedContact, ...]
    next: int | None


class Plan(Answer):
    """What a save would do; ``version`` is the one that it is planned against, 0 if there is none.

    ``refusals`` say why it could not be saved so. ``active`` counts who is in the series: each of
    them has one of the ``fates``. ``page`` has contacts if a fate was asked for.
    ``token`` makes a save do this or nothing. ``surge_at_most`` is how many a span of its surge
    takes then, also where the definition says ``auto``; None of a draft that does.
    """

    series: str
    status: SeriesStatus
    version: int
    token: str
    result: ApplyResult
    changes: tuple[Change, ...]
    refusals: tuple[str, ...]
    warnings: tuple[SeriesWarning, ...]
    active: int
    fates: tuple[Fate, ...]
    outside: Outside
    page: PlannedContacts | None = None
    surge_at_most: int | None = None


def plan(
    work: Work,
    key: str,
    definition: SeriesDefinition,
    *,
    reschedule: bool = False,
    fate: FateName | None = None,
    after: int | None = None,
    size: int = PAGE,
) -> Plan:
    """Return what saving ``definition`` as the series ``key`` would do; save nothing.

    With a ``fate``, a page of its contacts comes with it. Raises 409 for a series that this code
    cannot read, 400 for an unknown list.
    """
    stored = load_written(work, [key]).get(key)
    before = next(iter(load_saved(work, key)), None)
    saved = as_if_saved(work, before, definition) if before else unsaved(work, key, definition)
    planned = PlannedSave(
        saved,
        Retimed.by(work, before, saved) if reschedule and before else Retimed.none(saved, work.now),
    )
    changes = differences(stored.definition if stored else None, definition)
    checked = check(work, saved)
    is_active = saved.status is SeriesStatus.ACTIVE
    found, beside = _counted(work, before or saved, planned)
    version = stored.version if stored else 0
    return Plan(
        series=key,
        status=saved.status,
        version=version,
        token=plan_token({key: version}, {key: definition}, reschedule=reschedule),
        result=result_of(stored, changes),
        changes=changes,
        refusals=(
            *refused_by_save(work, key, definition),
            *(checked.refusals if is_active else ()),
        ),
        warnings=checked.warnings,
        active=sum(each.contacts for each in found),
        fates=found,
        outside=beside if before else beside.model_copy(update={"matched_before": 0}),
        page=None if fate is None else _page(work, planned, fate, after, size),
        surge_at_most=foreseen(work, before, saved) or saved.surge_at_most,
    )


def _counted(work: Work, before: Series, planned: PlannedSave) -> tuple[tuple[Fate, ...], Outside]:
    """Return the fates, and who is outside; everybody is read once."""
    counting = _count_fates(work, planned, before)
    rows = work.connection.execute(counting, {"org_id": work.org_id}).all()
    was, is_, some = next(
        ((row.was, row.is_, row.some) for row in rows if row.fate is None), (0, 0, None)
    )
    beside = Outside(
        matched_before=was,
        matched_after=is_,
        would_enter=entering(work, before, planned, is_, some or ()),
    )
    return _fates(planned, rows), beside


def _fates(planned: PlannedSave, rows: Sequence[Row[Any]]) -> tuple[Fate, ...]:
    keys = _step_keys(planned)
    found = []
    for name in FateName:
        parts = [_part(row, keys) for row in rows if row.fate == name]
        if parts:
            found.append(
                Fate(
                    fate=name,
                    contacts=sum(each.contacts for each in parts),
                    first=min(each.first for each in parts),
                    last=max(each.last for each in parts),
                    parts=tuple(_in_order(planned, parts)),
                )
            )
    return tuple(found)


def _part(row: Row[Any], keys: Mapping[UUID, str]) -> FatePart:
    return FatePart(
        step=keys[row.step_id],
        exit_reason=row.exit_reason,
        to=keys.get(row.next_id),
        contacts=row.contacts,
        first=row.first,
        last=row.last,
    )


def _in_order(planned: PlannedSave, parts: Iterable[FatePart]) -> list[FatePart]:
    """Sort parts by step, then by reason or next step."""
    series = planned.series
    places = {step.key: n for n, step in enumerate((*series.steps, *series.removed_steps))}
    return sorted(parts, key=lambda each: (places[each.step], each.exit_reason or each.to or ""))


def _step_keys(planned: PlannedSave) -> dict[UUID, str]:
    return {id_: step.key for id_, step in planned.series.steps_by_id.items()}


@statement("count_fates")
def _count_fates(work: Work, planned: PlannedSave, before: Series) -> Select[Any]:
    """Count by a number that stands for four columns: of those PostgreSQL expects so many groups
    that it would sort everybody.
    """
    found = fates(work, planned, before)
    steps = list(planned.series.steps_by_id)
    columns: Mapping[str, tuple[Sequence[Any], TypeEngine[Any]]] = {
        "fate": ([*FateName], Text()),
        "exit_reason": ([*ExitReason], Text()),
        "step_id": (steps, Uuid()),
        "next_id": (steps, Uuid()),
    }
    number: ColumnElement[int] = literal(0, BigInteger())
    for name, (values, type_) in columns.items():
        place = func.array_position(literal(list(values), ARRAY(type_)), found.c[name])
        number = number * (len(values) + 1) + func.coalesce(place, 0)
    # Apart, so that the planner takes the number for a column.
    each = select(found, number.label("number")).offset(APART).subquery("each")
    ids = func.array_agg(each.c.end_user_id, type_=ARRAY(Uuid())).filter(each.c.matched_after)
    counted = (
        select(
            each.c.number,
            func.count().label("contacts"),
            func.min(each.c.due).label("first"),
            func.max(each.c.due).label("last"),
            func.count().filter(each.c.matched_before).label("was"),
            func.count().filter(each.c.matched_after).label("is_"),
            # Sliced: of more than a few nobody needs the names.
            ids[1 : FEW + 1].label("some"),
        )
        .group_by(each.c.number)
        .subquery("counted")
    )
    shown: list[ColumnElement[Any]] = []
    rest: ColumnElement[int] = counted.c.number
    for name, (values, type_) in reversed([*columns.items()]):
        named = Grouping(literal(list(values), ARRAY(type_)))
        shown.append(named[cast(rest % (len(values) + 1), Integer)].label(name))
        rest = rest.op("/")(len(values) + 1)
    return select(*shown, *(column for column in counted.c if column.name != "number"))


def _page(
    work: Work, planned: PlannedSave, fate: FateName, after: int | None, size: int
) -> PlannedContacts:
    keys = _step_keys(planned)
    rows = work.connection.execute(_page_fate(work, planned, fate, after, size + 1)).mappings()
    items = [
        PlannedContact(
            **{name: row[name] for name in PlannedContact.model_fields if name in row},
            step=keys[row["step_id"]],
            to=keys.get(row["next_id"]),
        )
        for row in rows
    ]
    following = items[size - 1].id if len(items) > size else None
    return PlannedContacts(fate=fate, items=tuple(items[:size]), next=following)


@statement("page_fate", fate=FateName.STAYS, after=None)
def _page_fate(
    work: Work, planned: PlannedSave, fate: FateName, after: int | None, limit: int
) -> Select[Any]:
    found, contact = fates(work, planned), end_users.alias("shown")
    page = (
        select(
            found.c.recipient_id.label("id"),
            found.c.end_user_id.label("contact_id"),
            contact.c.external_id,
            contact.c.email,
            contact.c.name,
            found.c.step_id,
            found.c.exit_reason,
            found.c.next_id,
            found.c.was_due.label("due_before"),
            found.c.due.label("due_after"),
        )
        .join(contact, has_values(contact, work.org_id, id=found.c.end_user_id))
        .where(found.c.fate == fate.value)
        .order_by(found.c.recipient_id)
        .limit(limit)
    )
    return page if after is None else page.where(found.c.recipient_id > after)

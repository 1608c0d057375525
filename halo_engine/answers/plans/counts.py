"""How many contacts have each fate under a definition that is not saved, and who is outside."""

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

from halo_engine.answers.plans.fate_names import FateName
from halo_engine.answers.plans.fates import PlannedSave, fates
from halo_engine.answers.plans.outside import FEW, Outside, entering
from halo_engine.audience.everybody import APART
from halo_engine.domain.answer import Answer
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.times.instants import Instant
from halo_engine.sql.statements import statement
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


def counted(work: Work, before: Series, planned: PlannedSave) -> tuple[tuple[Fate, ...], Outside]:
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
    keys = planned.step_keys
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

"""Who was held and discarded: refused until the next trigger, or until seen outside (§19)."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Delete,
    Executable,
    FromClause,
    Uuid,
    and_,
    any_,
    delete,
    exists,
    false,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.guards import ReasonCode
from halo_engine.enrollment.pages import ContactRange
from halo_engine.enrollment.rules import have_discards, keeps_refusals
from halo_engine.enrollment.surges.locks import lock_surges
from halo_engine.enrollment.surges.pacing import keep_pace
from halo_engine.enrollment.surges.traces import find_traces
from halo_engine.series.noting import note_series
from halo_engine.series.surges.discards import discards_seen
from halo_engine.sql.metadata import arrivals
from halo_engine.sql.statements import statement
from halo_engine.tables import discarded_entries, enrollment_refusals, held_entries
from halo_engine.work import Work

_GONE: Final = discarded_entries


def was_discarded(org_id: UUID, pairs: FromClause, *, moved_audience: bool) -> ColumnElement[bool]:
    """Return whether a pair's contact was discarded from its ``segment_match`` series, and not seen
    outside since.

    ``moved_audience``: a save is planned after which nobody who matches is outside by definition.
    """
    still = [] if moved_audience else [~_GONE.c.outside_by_definition]
    found = exists().where(
        _GONE.c.org_id == org_id,
        _GONE.c.automation_id == pairs.c.automation_id,
        _GONE.c.end_user_id == pairs.c.end_user_id,
        *still,
    )
    return and_(pairs.c.wants_new_match, found)


def forget_those_outside(
    work: Work,
    series: Sequence[Series],
    contacts: Collection[UUID] = (),
    page: ContactRange | None = None,
) -> None:
    """Forget the discards of contacts that are outside now, of ``contacts`` or of a ``page``; also
    of those whom a change of the definition put outside, once they are inside again.

    They are seen on the same occasions as who left the audience (guard 8).
    """
    asked = [each for each in series if have_discards([each])]
    if find_traces(work, asked).discards:
        values = page.values() if page is not None else {}
        work.connection.execute(_forget_outside(work, asked, contacts, page), values)


@statement("forget_discards_outside", page=None)
def _forget_outside(
    work: Work,
    series: Sequence[Series],
    contact_ids: Collection[UUID],
    page: ContactRange | None,
) -> Delete:
    rows, contact = discards_seen(work, series)
    asked: Sequence[ColumnElement[bool]]
    if page is None:
        asked = [contact.c.id == any_(literal(list(contact_ids), ARRAY(Uuid())))]
    else:
        asked = page.holds(contact)
    seen = rows.where(*asked).cte("seen")
    return delete(_GONE).where(
        _GONE.c.org_id == work.org_id,
        _GONE.c.automation_id == seen.c.automation_id,
        _GONE.c.end_user_id == seen.c.end_user_id,
        _GONE.c.outside_by_definition != seen.c.outside,
    )


def discard_held(work: Work, series: Series) -> int:
    """Let whoever is held in ``series`` go for good; return how many there were (contract §19). A
    release ends.
    """
    if not series.has_surges:
        return 0
    lock_surges(work, [series])
    note_series(work, series.id)
    number: int = work.connection.execute(_discarding(work, series)).scalar_one()
    keep_pace(work, series, None)
    return number


@statement("discard_held")
def _discarding(work: Work, series: Series) -> Executable:
    held = held_entries
    gone = (
        delete(held)
        .where(held.c.org_id == work.org_id, held.c.automation_id == series.id)
        .returning(held.c.automation_id, held.c.end_user_id, held.c.id)
        .cte("gone")
    )
    counted = select(func.count()).select_from(gone)
    key = ["org_id", "automation_id", "end_user_id"]
    whose = [literal(work.org_id), gone.c.automation_id, gone.c.end_user_id]
    said: dict[str, Any]
    if keeps_refusals(series):
        table = enrollment_refusals
        said = {
            "code": literal(ReasonCode.SURGE_DISCARDED.value),
            "refused_at": literal(work.now),
            "arrival": arrivals.next_value(),
        }
    elif series.entry_trigger is EntryTrigger.SEGMENT_MATCH:
        table = _GONE
        said = {"discarded_at": literal(work.now), "outside_by_definition": false()}
    else:
        return counted
    rows = select(*whose, *said.values()).order_by(gone.c.id)
    keeping = insert(table).from_select([*key, *said], rows, include_defaults=False)
    updated = {name: keeping.excluded[name] for name in said}
    kept = keeping.on_conflict_do_update(index_elements=key, set_=updated)
    return counted.add_cte(kept.cte("kept"))

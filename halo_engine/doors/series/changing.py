"""The doors that change series (contract §8, §10)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from halo_engine.answers.plans.activation import refuse_beyond
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import conflict
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import Series, SeriesDefinition
from halo_engine.domain.series.exits import ExitReason
from halo_engine.doors.acts import Flow, Order
from halo_engine.doors.calls import (
    ANY,
    ActivateCall,
    ApplyCall,
    ContactCall,
    DeletedSeries,
    RemovedContact,
    RevertCall,
    SaveCall,
    SavedSeries,
    SeriesCall,
    SeriesState,
    StoppedSeries,
)
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import (
    About,
    AppliedSeries,
    status_of_series,
    the_contact,
    the_series,
)
from halo_engine.engine import Engine
from halo_engine.journey.removal import remove, stop_series
from halo_engine.operators.origin import Origin
from halo_engine.series.deletion import delete_draft
from halo_engine.series.files.apply import (
    Applied,
    ApplyResult,
    Saving,
    apply_definitions,
    apply_in_parts,
)
from halo_engine.series.files.history import find_version
from halo_engine.series.files.reading import parse_series
from halo_engine.series.lifecycle import activate, find_series, pause, resume
from halo_engine.series.locks import lock_series_for_change
from halo_engine.series.orders import Ordered, in_order
from halo_engine.series.versions import Author
from halo_engine.series.writing import load_written
from halo_engine.work import OrgRef, Work


def _apply(engine: Engine, org: OrgRef, call: ApplyCall, origin: Origin) -> list[Applied]:
    definitions = parse_series({"series": call.series}, "halo.series.apply")
    parts = apply_in_parts(
        partial(engine.perform, org),
        definitions,
        Saving(_author(origin), call.reschedule, call.plan),
        dry_run=call.dry_run,
        sent_at=origin.sent_at,
        try_out=partial(engine.ask, org),
    )
    return [each for part in parts for each in part]


def _save(work: Work, call: SaveCall, origin: Origin) -> SavedSeries:
    definitions = parse_series({"series": {call.series: call.definition}}, "halo.series.save")
    with in_order(work, definitions, Ordered.DEFINITION, origin.sent_at):
        saved = _saved(work, definitions, Saving(_author(origin), call.reschedule, call.plan))
    found = saved.version - (saved.result is not ApplyResult.UNCHANGED)
    _check_base(call, found)
    return saved


def _revert(work: Work, call: RevertCall, origin: Origin) -> SavedSeries:
    """Save the definition of an old version again."""
    work = lock_series_for_change(work)
    _, definition = find_version(work, call.series, call.to)
    with in_order(work, [call.series], Ordered.DEFINITION, origin.sent_at):
        return _saved(work, {call.series: definition}, Saving(_author(origin), call.reschedule))


def _saved(work: Work, definition: Mapping[str, SeriesDefinition], saving: Saving) -> SavedSeries:
    """Save one definition, and read the version that it has now."""
    [applied] = apply_definitions(work, definition, saving)
    version = load_written(work, definition)[applied.series].version
    return SavedSeries(**dict(applied), version=version)


def _author(origin: Origin) -> Author:
    return Author(origin.by, origin.via)


def _check_base(call: SaveCall, found: int) -> None:
    """Refuse a save that is based on another version than the one found; 0 is none."""
    if call.version in (None, found) or (call.version == ANY and found):
        return
    if not found:
        problem = f"There is no series ‘{call.series}’"
        allowed = "a save that is based on no version"
    elif call.version == 0:
        problem = f"There is a series ‘{call.series}’ already, at version {found}"
        allowed = "a save based on that one"
    else:
        problem = f"Series ‘{call.series}’ is at version {found} by now, not at {call.version}"
        allowed = "a save based on that one"
    raise conflict("changed_meanwhile", f"{problem}; allowed is {allowed}")


def _delete(work: Work, call: SeriesCall, _: Origin) -> DeletedSeries:
    delete_draft(work, call.series)
    return DeletedSeries(series=call.series)


def _in_order(
    change: Callable[[Work, str, str], Series],
) -> Callable[[Work, SeriesCall, Origin], SeriesState]:
    """Return the order that changes a series' status, unless a later one overtook it."""

    def changed(work: Work, call: SeriesCall, origin: Origin) -> SeriesState:
        with in_order(work, [call.series], Ordered.STATUS, origin.sent_at):
            change(work, call.series, origin.by)
        return SeriesState(series=call.series, status=find_series(work, call.series).status)

    return changed


def _activate(work: Work, call: ActivateCall, origin: Origin) -> SeriesState:
    with in_order(work, [call.series], Ordered.STATUS, origin.sent_at):
        series = activate(work, call.series, origin.by)
        refuse_beyond(work, series, call.expect_at_most)
    return SeriesState(series=call.series, status=SeriesStatus.ACTIVE)


def _stop(engine: Engine, org: OrgRef, call: SeriesCall, origin: Origin) -> StoppedSeries:
    transact = partial(engine.perform, org)
    removed = stop_series(transact, call.series, origin.by, origin.sent_at)
    return StoppedSeries(series=call.series, status=SeriesStatus.COMPLETED, removed=removed)


def _remove(work: Work, call: ContactCall, origin: Origin) -> RemovedContact:
    [contact_id] = find_contacts(work, [call.contact])
    remove(work, contact_id, find_series(work, call.series), origin.sent_at)
    return RemovedContact(series=call.series, contact=call.contact, exit_reason=ExitReason.MANUAL)


_STATUS: Final = About(the_series, status_of_series)

DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "series.apply",
        "Save definitions by key, those that differ; if one is refused, none is saved.",
        ApplyCall,
        list[Applied],
        Role.EDITOR,
        Flow(_apply),
        AppliedSeries(),
    ),
    Door(
        "series.save",
        "Save a definition; a new series becomes a draft. Refuse it if somebody saved meanwhile.",
        SaveCall,
        SavedSeries,
        Role.EDITOR,
        Order(_save),
        AppliedSeries(),
    ),
    Door(
        "series.revert",
        "Save an old version of a series again.",
        RevertCall,
        SavedSeries,
        Role.EDITOR,
        Order(_revert),
        AppliedSeries(),
    ),
    Door(
        "series.delete",
        "Delete a draft.",
        SeriesCall,
        DeletedSeries,
        Role.EDITOR,
        Order(_delete),
        _STATUS,
    ),
    Door(
        "series.activate",
        "Make a draft active; workers enroll who matches.",
        ActivateCall,
        SeriesState,
        Role.EDITOR,
        Order(_activate),
        _STATUS,
    ),
    Door(
        "series.pause",
        "Pause an active series: nobody enters, nothing is sent.",
        SeriesCall,
        SeriesState,
        Role.EDITOR,
        Order(_in_order(pause)),
        _STATUS,
    ),
    Door(
        "series.resume",
        "Make a paused series active again, after the same checks.",
        SeriesCall,
        SeriesState,
        Role.EDITOR,
        Order(_in_order(resume)),
        _STATUS,
    ),
    Door(
        "series.stop",
        "Complete a series for good; everybody in it leaves.",
        SeriesCall,
        StoppedSeries,
        Role.ADMIN,
        Flow(_stop),
        _STATUS,
    ),
    Door(
        "series.remove",
        "End a contact's run in a series.",
        ContactCall,
        RemovedContact,
        Role.EDITOR,
        Order(_remove),
        About(the_contact, says=("series",)),
    ),
)

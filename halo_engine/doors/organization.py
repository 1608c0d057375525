"""The doors of an organisation: contacts, fields, events, parked work, erasure (§2, §3, §10)."""

import time
from functools import partial
from typing import Annotated, Any, Final

from halo_engine.answers.operations.parked import (
    ListParked,
    ParkedRow,
    ParkedSignal,
    Sort,
    WhichParked,
    list_parked_rows,
    list_parked_signals,
)
from halo_engine.answers.reports.contact_list import ContactPage, contact_list
from halo_engine.answers.reports.events import (
    KnownEvent,
    KnownProperty,
    known_events,
    known_properties,
)
from halo_engine.answers.reports.fields import Fields, NamedField, known_fields, named_fields
from halo_engine.contacts.calls import Call, EventName, Identifier, described_as
from halo_engine.contacts.consent.unsuppress import UnsuppressCall, Unsuppressed, unsuppress
from halo_engine.contacts.erasure.organizations import erase_organization
from halo_engine.domain.answer import PAGE, PageSize
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.doors.acts import Ask, Flow, Order, Unfinished
from halo_engine.doors.calls import BareCall, Cursor, ErasedOrganization
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About, LiftedSuppression, nothing
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.pipeline.parked import Discarded, Retried, discard_parked, retry_parked
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import parse_definition
from halo_engine.settings import TURN_SECONDS
from halo_engine.work import OrgRef, Work


class ListContactsCall(Call):
    """Which contacts: those whose ID or email begins with ``search``, those that ``series`` or
    ``definition`` matches; ``size`` of them after the contact of that id.
    """

    search: str | None = None
    series: Identifier | None = None
    definition: Annotated[dict[str, Any] | None, described_as(SeriesDefinition | None)] = None
    after: Cursor | None = None
    size: PageSize = PAGE


class EventCall(Call):
    """A call about an event, by its name."""

    event: EventName


def _list_contacts(work: Work, call: ListContactsCall) -> ContactPage:
    within = None
    if call.definition is not None:
        within = parse_definition("definition", call.definition)
    return contact_list(
        work,
        search=call.search,
        within=find_series(work, call.series) if call.series else within,
        after=call.after,
        size=call.size,
    )


def _retry(sort: Sort) -> Order[WhichParked, Retried]:
    return Order(lambda work, call, _: retry_parked(work, sort, call))


def _discard(sort: Sort) -> Order[WhichParked, Discarded]:
    return Order(lambda work, call, _: discard_parked(work, sort, call))


def _erase(
    engine: Engine, org: OrgRef, call: BareCall, _: Origin
) -> ErasedOrganization | Unfinished[BareCall, ErasedOrganization]:
    key = engine.ask(org, lambda work: work.org.key)
    ends = time.monotonic() + TURN_SECONDS
    rows = 0
    for page in erase_organization(partial(engine.perform, OrgRef(key=key))):
        rows += page
        if time.monotonic() > ends:
            return Unfinished(ErasedOrganization(org=key, rows=rows, done=False), call)
    return ErasedOrganization(org=key, rows=rows, done=True)


#: Notes which were chosen, and how many there were.
_WHICH: Final = ("ids", "series", "all")
_RETRIED: Final = About(nothing, says=_WHICH, answers=("retried",))
_DISCARDED: Final = About(nothing, says=_WHICH, answers=("discarded",))

DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "fields.list",
        "List every field that filters can name, with the values seen most, and every list.",
        BareCall,
        Fields,
        Role.VIEWER,
        Ask(lambda work, _: known_fields(work)),
    ),
    Door(
        "fields.names",
        "List every field that filters can name, with its type and operators; at once.",
        BareCall,
        list[NamedField],
        Role.VIEWER,
        Ask(lambda work, _: named_fields(work)),
    ),
    Door(
        "events.list",
        "List the events that fired: how often, for how many contacts, first and last.",
        BareCall,
        list[KnownEvent],
        Role.VIEWER,
        Ask(lambda work, _: known_events(work)),
    ),
    Door(
        "events.properties",
        "List the properties that the latest events of a name had, with their type.",
        EventCall,
        list[KnownProperty],
        Role.VIEWER,
        Ask(lambda work, call: known_properties(work, call.event)),
    ),
    Door(
        "contacts.list",
        "List contacts page by page, newest first.",
        ListContactsCall,
        ContactPage,
        Role.VIEWER,
        Ask(_list_contacts),
    ),
    Door(
        "contacts.unsuppress",
        "Lift what suppresses a contact's address, for a reason that is kept.",
        UnsuppressCall,
        Unsuppressed,
        Role.ADMIN,
        Order(lambda work, call, _: unsuppress(work, call)),
        LiftedSuppression(),
    ),
    Door(
        "signals.list",
        "List the signals that failed and are parked.",
        ListParked,
        list[ParkedSignal],
        Role.VIEWER,
        Ask(list_parked_signals),
    ),
    Door(
        "signals.retry",
        "Put parked signals back into the queue.",
        WhichParked,
        Retried,
        Role.EDITOR,
        _retry(Sort.SIGNALS),
        _RETRIED,
    ),
    Door(
        "signals.discard",
        "Discard parked signals for good.",
        WhichParked,
        Discarded,
        Role.EDITOR,
        _discard(Sort.SIGNALS),
        _DISCARDED,
    ),
    Door(
        "rows.list",
        "List the recipients' rows that failed and are parked.",
        ListParked,
        list[ParkedRow],
        Role.VIEWER,
        Ask(list_parked_rows),
    ),
    Door(
        "rows.retry",
        "Put parked rows back into the queue.",
        WhichParked,
        Retried,
        Role.EDITOR,
        _retry(Sort.ROWS),
        _RETRIED,
    ),
    Door(
        "rows.discard",
        "Discard parked rows for good; their contacts leave the series.",
        WhichParked,
        Discarded,
        Role.EDITOR,
        _discard(Sort.ROWS),
        _DISCARDED,
    ),
    Door(
        "organizations.erase",
        "Erase the organisation for good, for one turn; workers go on with the rest.",
        BareCall,
        ErasedOrganization,
        Role.ADMIN,
        Flow(_erase),
    ),
)

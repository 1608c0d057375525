"""The doors behind pickers and lists: contacts, recipients, presets, lists (§3, §10, §12)."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, model_validator

from halo_engine.answers.diagnose.diagnose import Diagnosis, diagnose
from halo_engine.answers.reports.bucket import bucket
from halo_engine.answers.reports.contact_list import ContactPage
from halo_engine.answers.reports.presets import Presets, known_presets
from halo_engine.answers.reports.preview import Preview, preview
from halo_engine.answers.reports.profile import Profile, profile
from halo_engine.answers.reports.recipients import RecipientPage, recipients
from halo_engine.answers.reports.timeline import Timeline, timeline
from halo_engine.contacts.calls import Call, Identifier, described_as
from halo_engine.contacts.consent.subscriptions import (
    ListAnswer,
    Lists,
    SaveListCall,
    all_lists,
    find_list,
    save_list,
)
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.answer import PAGE, CountedPageSize, PageSize
from halo_engine.domain.errors import bad_input
from halo_engine.domain.reasons import Status
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.doors.acts import Ask, Order
from halo_engine.doors.calls import BareCall, Cursor, SeriesCall
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.doors.trails import About
from halo_engine.operators.audit import State
from halo_engine.series.files.check import CheckedDefinition, check_definition, unsaved
from halo_engine.series.lifecycle import find_series
from halo_engine.series.save import parse_definition
from halo_engine.work import Work


class DefinitionCall(Call):
    """The definition of a series that is not saved."""

    definition: Annotated[dict[str, Any], described_as(SeriesDefinition)]

    def read(self) -> SeriesDefinition:
        """Return the definition; raises a 400 with a line for each fault."""
        return parse_definition("definition", self.definition)


class PreviewDefinitionCall(DefinitionCall):
    """Which page of the matches: ``size`` of them, after the contact of that id."""

    after: Cursor | None = None
    size: CountedPageSize = PAGE


class CheckDefinitionCall(DefinitionCall):
    """The saved series that the definition is of, by its key; a draft if there is none."""

    series: Identifier | None = None


class RecipientsCall(SeriesCall):
    """Which recipients: in ``status``, ``size`` of them, after the recipient of that id."""

    status: Annotated[Status | None, Field(strict=False)] = None
    after: int | None = Field(default=None, ge=1, lt=2**63)
    size: PageSize = PAGE


class BucketCall(SeriesCall):
    """Which bucket of the ledger, and ``size`` of its contacts, after the contact of that id."""

    code: str
    after: Cursor | None = None
    size: PageSize = PAGE


class OneContactCall(Call):
    """A contact, by ``user_id``, or by email where it has none; or by ``id``, that of answers."""

    contact: Identifier | None = None
    id: Cursor | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.contact is None) == (self.id is None):
            raise bad_input("contact", "give this or `id`, not both")
        return self

    def found(self, work: Work) -> UUID:
        """Return the id of the contact; raises 404 if a name is nobody's."""
        if self.contact is None:
            assert self.id is not None
            return self.id
        [found] = find_contacts(work, [self.contact])
        return found


class TimelineCall(OneContactCall):
    """Which page of a contact's timeline: ``size`` entries, after the cursor ``after``."""

    after: str | None = None
    size: PageSize = PAGE


class ShownContact(Profile):
    """Everything about one contact, and the first page of its timeline."""

    timeline: Timeline


def _show_contact(work: Work, call: OneContactCall) -> ShownContact:
    contact_id = call.found(work)
    found = profile(work, contact_id)
    return ShownContact(**dict(found), timeline=timeline(work, contact_id))


def _timeline(work: Work, call: TimelineCall) -> Timeline:
    return timeline(work, call.found(work), after=call.after, size=call.size)


def _recipients(work: Work, call: RecipientsCall) -> RecipientPage:
    series = find_series(work, call.series)
    return recipients(work, series, status=call.status, after=call.after, size=call.size)


def _bucket(work: Work, call: BucketCall) -> ContactPage:
    series = find_series(work, call.series)
    return bucket(work, series, call.code, after=call.after, size=call.size)


def _preview(work: Work, call: PreviewDefinitionCall) -> Preview:
    return preview(work, call.read(), after=call.after, size=call.size)


def _diagnose(work: Work, call: DefinitionCall) -> Diagnosis:
    return diagnose(work, unsaved(work, "definition", call.read()))


def _check(work: Work, call: CheckDefinitionCall) -> CheckedDefinition:
    return check_definition(work, call.series, call.read())


def _the_list(_work: Work, call: SaveListCall, _answer: Any) -> str:
    return call.list


def _state_of_list(work: Work, call: SaveListCall) -> State:
    found = find_list(work, call.list)
    return {} if found is None else found.model_dump(exclude_defaults=True)


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "contacts.show",
        "Show what is known of a contact, the series it is in, and what happened to it.",
        OneContactCall,
        ShownContact,
        Role.VIEWER,
        Ask(_show_contact),
    ),
    Door(
        "contacts.timeline",
        "List what happened to a contact, page by page, the latest first.",
        TimelineCall,
        Timeline,
        Role.VIEWER,
        Ask(_timeline),
    ),
    Door(
        "series.recipients",
        "List who stands at which step of a series, and what came of it.",
        RecipientsCall,
        RecipientPage,
        Role.VIEWER,
        Ask(_recipients),
    ),
    Door(
        "series.bucket",
        "List the contacts that the ledger of a series counts under a code.",
        BucketCall,
        ContactPage,
        Role.VIEWER,
        Ask(_bucket),
    ),
    Door(
        "definitions.preview",
        "Count who matches a series that is being written, and list a page of them.",
        PreviewDefinitionCall,
        Preview,
        Role.VIEWER,
        Ask(_preview),
    ),
    Door(
        "definitions.diagnose",
        "Say why a series that is being written matches so few.",
        DefinitionCall,
        Diagnosis,
        Role.VIEWER,
        Ask(_diagnose),
    ),
    Door(
        "definitions.check",
        "Say why activating a series that is being written would be refused, and when it mails.",
        CheckDefinitionCall,
        CheckedDefinition,
        Role.VIEWER,
        Ask(_check),
    ),
    Door(
        "presets.list",
        "List the presets that an audience can begin with.",
        BareCall,
        Presets,
        Role.VIEWER,
        Ask(lambda _work, _: known_presets()),
    ),
    Door(
        "lists.list",
        "List the subscription lists, and how many contacts are on each.",
        BareCall,
        Lists,
        Role.VIEWER,
        Ask(lambda work, _: Lists(items=tuple(all_lists(work)))),
    ),
    Door(
        "lists.save",
        "Make a subscription list, or change what people see of it and how they join.",
        SaveListCall,
        ListAnswer,
        Role.EDITOR,
        Order(lambda work, call, _: save_list(work, call)),
        About(_the_list, _state_of_list),
    ),
)

"""Calls and answers that several doors share."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field

from halo_engine.answers.plans.fate_names import FateName
from halo_engine.contacts.calls import Call, Identifier, described_as
from halo_engine.domain.answer import PAGE, Answer, PageSize
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.domain.series.definition import KEY_PATTERN, SeriesDefinition
from halo_engine.domain.series.exits import ExitReason
from halo_engine.series.files.apply import Applied
from halo_engine.series.files.tokens import PATTERN

#: An id in a cursor; JSON has no UUIDs, so it may be text.
Cursor = Annotated[UUID, Field(strict=False)]


#: As the version that a save is based on: whichever there is.
ANY: Final = "*"


#: What a plan answers with, to be saved by.
PlanToken = Annotated[str, Field(pattern=PATTERN)]


class BareCall(Call):
    """A call without fields of its own."""


class SeriesCall(Call):
    """A call about a series, by its key."""

    series: Identifier


class ShowCall(SeriesCall):
    """A series; with a ``version``, as that one of its history.

    It is ``checked``, too, unless that says no: checks take longer the more contacts there are.
    """

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    checked: bool = True


class ActivateCall(SeriesCall):
    """A draft to be activated; refused if it enrolls more contacts than ``expect_at_most``."""

    expect_at_most: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class RevertCall(SeriesCall):
    """The version ``to`` that a series goes back to; ``reschedule`` as at a save."""

    to: Annotated[int, Field(ge=1, lt=2**31)]
    reschedule: bool = False


class ContactCall(SeriesCall):
    """A call about a contact and a series: by ``user_id``, or by email where it has none."""

    contact: Identifier


class ApplyCall(Call):
    """Definitions by key; ``dry_run`` refuses what saving would refuse, and saves nothing.

    ``reschedule`` gives rows at steps whose delay or window changes their new times. ``plan`` is
    the token of a plan: the save is what it said, or is refused.
    """

    series: Annotated[dict[str, Any], described_as(dict[str, SeriesDefinition])]
    reschedule: bool = False
    plan: PlanToken | None = None
    dry_run: bool = False


class SaveCall(SeriesCall):
    """A definition of a series, and the version that it is based on; a stale one is refused.

    Version 0 is none: the series must be new. ``*`` is any: it must be there. ``reschedule`` gives
    rows at steps whose delay or window changes their new times. ``plan`` is the token of a plan:
    the save is what it said, or is refused.
    """

    series: Annotated[Identifier, described_as(Annotated[str, Field(pattern=KEY_PATTERN)])]
    definition: Annotated[dict[str, Any], described_as(SeriesDefinition)]
    version: int | Literal["*"] | None = None
    reschedule: bool = False
    plan: PlanToken | None = None


class PlanCall(SeriesCall):
    """A definition that might be saved as a series; ``reschedule`` as at a save.

    With a ``fate``, the answer has a page of its contacts: ``size`` of them, after ``after``.
    """

    series: Annotated[Identifier, described_as(Annotated[str, Field(pattern=KEY_PATTERN)])]
    definition: Annotated[dict[str, Any], described_as(SeriesDefinition)]
    reschedule: bool = False
    fate: Annotated[FateName | None, Field(strict=False)] = None
    after: int | None = Field(default=None, ge=1, lt=2**63)
    size: PageSize = PAGE


class SavedSeries(Applied):
    """A series that was saved, and its new version."""

    version: int


class DeletedSeries(Answer):
    """A draft that was deleted."""

    series: str
    deleted: bool = True


class SeriesState(Answer):
    """A series and its status."""

    series: str
    status: SeriesStatus


class StoppedSeries(SeriesState):
    """A series that was stopped, and how many contacts left it."""

    removed: int


class RemovedContact(Answer):
    """A contact whose run in a series ended, and why."""

    series: str
    contact: str
    exit_reason: ExitReason


class ErasedOrganization(Answer):
    """How many rows were deleted; ``done`` says whether the organisation itself is gone."""

    org: str
    rows: int
    done: bool

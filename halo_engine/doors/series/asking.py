"""The doors that answer questions about series (contract §8, §10)."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from pydantic import Field

from halo_engine.answers.diagnose.diagnose import Diagnosis, diagnose
from halo_engine.answers.explain.explain import Explanation, explain
from halo_engine.answers.explain.runs import RunStory, run_story
from halo_engine.answers.plans.activation import Activation, foresee
from halo_engine.answers.plans.plan import Plan, plan
from halo_engine.answers.reports.failures import FailurePage, failures
from halo_engine.answers.reports.funnel import Funnel, funnel
from halo_engine.answers.reports.ledger import Ledger, ledger
from halo_engine.answers.reports.overview import (
    SeriesCounts,
    SeriesLine,
    SeriesPage,
    count_some,
    find_some,
    overview,
)
from halo_engine.answers.reports.preview import Preview, preview
from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.answer import LARGEST_PAGE, PAGE, CountedPageSize, PageSize
from halo_engine.domain.roles import Role
from halo_engine.domain.series.definition import Series
from halo_engine.doors.acts import Ask, Flow
from halo_engine.doors.calls import (
    BareCall,
    ContactCall,
    Cursor,
    PlanCall,
    SeriesCall,
    ShowCall,
)
from halo_engine.doors.door import AnyDoor, Door
from halo_engine.engine import Engine
from halo_engine.operators.origin import Origin
from halo_engine.series.files.check import Checked, check
from halo_engine.series.files.history import SeriesHistory, history
from halo_engine.series.files.reading import parse_series
from halo_engine.series.files.showing import ShownSeries, show_series
from halo_engine.series.lifecycle import find_series
from halo_engine.work import OrgRef, Work

_Answer = TypeVar("_Answer")


class FindSeriesCall(Call):
    """Which series: those whose name or key has ``search``; ``size`` of them after that id."""

    search: str | None = None
    after: Cursor | None = None
    size: PageSize = PAGE


class CountSeriesCall(Call):
    """The keys of the series that are counted; those of none are left out."""

    series: Annotated[list[Identifier], Field(min_length=1, max_length=LARGEST_PAGE)]


class PreviewCall(SeriesCall):
    """Which page of the matches: ``size`` of them, after the contact of that id."""

    after: Cursor | None = None
    size: CountedPageSize = PAGE


class FailuresCall(SeriesCall):
    """Which page of the mails that were not sent: ``size`` of them, after the row ``after``."""

    after: int | None = Field(default=None, ge=1, lt=2**63)
    size: PageSize = PAGE


def _about(answer: Callable[[Work, Series], _Answer]) -> Callable[[Work, SeriesCall], _Answer]:
    """Return the question about the series that a call names."""
    return lambda work, call: answer(work, find_series(work, call.series))


def _preview(work: Work, call: PreviewCall) -> Preview:
    return preview(work, find_series(work, call.series), after=call.after, size=call.size)


def _foresee(engine: Engine, org: OrgRef, call: SeriesCall, _: Origin) -> Activation:
    rate = engine.post.throttle.per_second
    return engine.ask(org, lambda work: foresee(work, find_series(work, call.series), rate))


def _plan(work: Work, call: PlanCall) -> Plan:
    definitions = parse_series({"series": {call.series: call.definition}}, "halo.series.plan")
    return plan(
        work,
        call.series,
        definitions[call.series],
        reschedule=call.reschedule,
        fate=call.fate,
        after=call.after,
        size=call.size,
    )


def _funnel(work: Work, call: ShowCall) -> Funnel:
    return funnel(work, find_series(work, call.series), call.version)


def _failures(work: Work, call: FailuresCall) -> FailurePage:
    return failures(work, find_series(work, call.series), after=call.after, size=call.size)


def _explain(work: Work, call: ContactCall) -> Explanation:
    found = find_contacts(work, [call.contact])
    return explain(work, find_series(work, call.series), found)[0]


def _runs(work: Work, call: ContactCall) -> RunStory:
    [contact_id] = find_contacts(work, [call.contact])
    return run_story(work, find_series(work, call.series), contact_id, call.contact)


DOORS: Final[tuple[AnyDoor, ...]] = (
    Door(
        "series.list",
        "List the series, in order of creation.",
        BareCall,
        list[SeriesLine],
        Role.VIEWER,
        Ask(lambda work, _: overview(work)),
    ),
    Door(
        "series.find",
        "Find series by a part of their name or key, newest first, page by page.",
        FindSeriesCall,
        SeriesPage,
        Role.VIEWER,
        Ask(lambda work, call: find_some(work, call.search, call.after, call.size)),
    ),
    Door(
        "series.count",
        "Count what came of some series: who is in them, entered, converted, and emails sent.",
        CountSeriesCall,
        list[SeriesCounts],
        Role.VIEWER,
        Ask(lambda work, call: count_some(work, call.series)),
    ),
    Door(
        "series.check",
        "Say why activating a series would be refused, and warn of likely mistakes.",
        SeriesCall,
        Checked,
        Role.VIEWER,
        Ask(_about(check)),
    ),
    Door(
        "series.show",
        "Show a series, or one version of it: its definition and its state.",
        ShowCall,
        ShownSeries,
        Role.VIEWER,
        Ask(lambda work, call: show_series(work, call.series, call.version, checked=call.checked)),
    ),
    Door(
        "series.history",
        "List the versions of a series, the latest first.",
        SeriesCall,
        SeriesHistory,
        Role.VIEWER,
        Ask(lambda work, call: history(work, call.series)),
    ),
    Door(
        "series.plan",
        "Say what a save would do to contacts in the series and outside; save nothing.",
        PlanCall,
        Plan,
        Role.VIEWER,
        Ask(_plan),
    ),
    Door(
        "series.foresee",
        "Say in numbers what activating a series now would do: who enters, who is left out.",
        SeriesCall,
        Activation,
        Role.VIEWER,
        Flow(_foresee, changes=False),
    ),
    Door(
        "series.preview",
        "Count who matches a series now, and list a page of them.",
        PreviewCall,
        Preview,
        Role.VIEWER,
        Ask(_preview),
    ),
    Door(
        "series.diagnose",
        "Say why a series matches so few.",
        SeriesCall,
        Diagnosis,
        Role.VIEWER,
        Ask(_about(diagnose)),
    ),
    Door(
        "series.ledger",
        "Count the contacts that match a series: those in it, and the others by reason.",
        SeriesCall,
        Ledger,
        Role.VIEWER,
        Ask(_about(ledger)),
    ),
    Door(
        "series.funnel",
        "Count how far contacts came in a series, or in the runs of one version, step by step.",
        ShowCall,
        Funnel,
        Role.VIEWER,
        Ask(_funnel),
    ),
    Door(
        "series.explain",
        "Say why a contact is, or is not, in a series.",
        ContactCall,
        Explanation,
        Role.VIEWER,
        Ask(_explain),
    ),
    Door(
        "series.runs",
        "Tell a contact's runs in a series: each decision with its instant, reason and mail.",
        ContactCall,
        RunStory,
        Role.VIEWER,
        Ask(_runs),
    ),
    Door(
        "series.failures",
        "List the mails of a series that were not sent, and why.",
        FailuresCall,
        FailurePage,
        Role.VIEWER,
        Ask(_failures),
    ),
)

"""The cards of the panel: what keeps a series from being activated, what an activation does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from halo_engine.answers.diagnose.diagnose import Diagnosis
from halo_engine.domain.errors import Refusal
from halo_engine.domain.reasons import EntryTrigger, SeriesStatus
from halo_engine.domain.rules_panel.filter_sentences import sentence_of
from halo_engine.domain.rules_panel.step_sentences import length_in_words
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.exits import ExitReason
from halo_engine.domain.series.settings import patience_of
from halo_engine.series.checking import preflight
from halo_engine.series.checking.warnings import SeriesWarning

from ...formats import counted
from ...page import Visit, segment_of
from .editing import Editing

#: Where what a failing check is about can be mended: an input of the form, or another page.
_WAYS: Final = {
    preflight.NO_LIST: "#subscription",
    preflight.NO_FILTER: "#audience_filters",
    preflight.NOT_A_SEGMENT: "#audience_type",
    preflight.NO_EVENT_NAME: "#settings.entry_event_name",
    preflight.NOBODY_MATCHES: "#audience_filters",
    preflight.NO_VERIFIED_DOMAIN: "/settings",
    preflight.NO_COMPANY_FOOTER: "/settings",
}


#: Each filter of a diagnosis is counted with and without all others: of many that takes minutes.
MOST_DIAGNOSED: Final = 50


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """Why an activation would be refused, in the documents' words, and the way to mend it."""

    text: str
    way: str


@dataclass(frozen=True, slots=True)
class CountedFilter:
    """A filter in words, and how many contacts it lets pass."""

    text: str
    passes_alone: int
    matches_without: int
    missing: int


@dataclass(frozen=True, slots=True)
class Cards:
    """What the cards say of the definition on the screen.

    ``problem`` is what keeps it from being counted. ``diagnosis`` is there where nobody matches, if
    there are not too many filters.
    """

    problem: str = ""
    failing: tuple[FailingCheck, ...] = ()
    warnings: tuple[SeriesWarning, ...] = ()
    matched: int = 0
    title: str = ""
    outcome: tuple[str, ...] = ()
    first_mail_at: datetime | None = None
    view: str = ""
    diagnosis: Diagnosis | None = None
    filters: tuple[CountedFilter, ...] = ()


def cards_of(visit: Visit, editing: Editing) -> Cards:
    """Return the cards, counted now."""
    definition = editing.definition
    if definition is None:
        return Cards(problem="Mend what is marked first; then it can be counted.")
    written = editing.written()
    try:
        checked = visit.call("definitions.check", definition=written, series=editing.key)
        found = visit.call("definitions.preview", definition=written, size=0)
    except Refusal as refusal:
        return Cards(problem=refusal.message)
    diagnosis = None
    if not found.matched and sum(map(len, definition.audience_filters)) <= MOST_DIAGNOSED:
        diagnosis = visit.call("definitions.diagnose", definition=written)
    status = editing.shown.status
    return Cards(
        failing=tuple(FailingCheck(each, _way(editing.key, each)) for each in checked.refusals),
        warnings=checked.warnings,
        matched=found.matched,
        title=_TITLES.get(status, "Who matches now"),
        outcome=tuple(_outcome(definition, found.matched, status)),
        first_mail_at=checked.first_mail_at,
        view=view_label(definition),
        diagnosis=diagnosis,
        filters=_counted(diagnosis),
    )


_TITLES: Final = {SeriesStatus.DRAFT: "On activate", SeriesStatus.PAUSED: "On resume"}


def _way(key: str, message: str) -> str:
    return _WAYS.get(message, f"/series/{segment_of(key)}#steps")


def view_label(definition: SeriesDefinition) -> str:
    """Return what the way to the matched contacts is called."""
    is_manual = definition.entry_trigger is EntryTrigger.MANUAL
    return "View who will enroll" if is_manual else "View who currently matches"


def _outcome(definition: SeriesDefinition, matched: int, status: SeriesStatus) -> list[str]:
    """Return what happens, a sentence each."""
    said = [_who_enrolls(definition, matched, status)]
    settings = definition.settings
    if settings.one_per_company:
        said.append("Of each company at most one of them is in it at a time.")
    if settings.one_per_address:
        said.append("Of each email address at most one of them is in it at a time.")
    if patience := patience_of(definition.entry_trigger, settings):
        wait = length_in_words(patience)
        said.append(f"What they lack of the audience may come until {wait} after the trigger.")
    if ExitReason.FILTER_MATCH in settings.exit_rules and settings.exit_filters:
        said.append("Whoever matches the exit filter already does not enter.")
    return said


def _who_enrolls(definition: SeriesDefinition, matched: int, status: SeriesStatus) -> str:
    who, verb = counted(matched, "contact") if matched else "Nobody", _verb(matched)
    is_first = status is SeriesStatus.DRAFT
    match definition.entry_trigger:
        case EntryTrigger.MANUAL if is_first:
            return f"{who} will enroll. Contacts who match later are not added."
        case EntryTrigger.MANUAL:
            return f"{who} {verb} now. Who enrolls was settled at the first activation."
        case EntryTrigger.SEGMENT_MATCH if is_first:
            enrolls = " and will enroll" if matched else ""
            return f"{who} {verb} now{enrolls}. New matches enroll as they arrive."
        case EntryTrigger.SEGMENT_MATCH:
            return f"{who} {verb} now. New matches enroll as they arrive."
        case EntryTrigger.EVENT:
            event = definition.settings.entry_event_name
            named = f"‘{event}’" if event else "the event"
            return f"{who} {verb} now. Whoever matches enrolls when {named} fires for them."
    enrolls = "At activation nobody enrolls: contacts enroll who sign up later."
    return f"{who} {verb} now. {enrolls if is_first else 'Whoever signs up enrolls.'}"


def _verb(matched: int) -> str:
    return "match" if matched > 1 else "matches"


def _counted(diagnosis: Diagnosis | None) -> tuple[CountedFilter, ...]:
    if diagnosis is None:
        return ()
    return tuple(
        CountedFilter(
            sentence_of(each.filter),
            each.passes_alone,
            each.matches_without,
            each.missing,
        )
        for each in diagnosis.filters
    )

"""The activation checks, in their order and with their exact words (contract §8)."""

from collections.abc import Iterable, Iterator

from halo_engine.audience.matched import is_anybody_matched
from halo_engine.domain.errors import Fault, Refusal
from halo_engine.domain.reasons import AudienceType, EntryTrigger, SeriesKind
from halo_engine.domain.series.definition import Series, Step, StepDefinition
from halo_engine.series.checking.quiet_windows import swallowed_windows
from halo_engine.series.checking.rings import endless_ring
from halo_engine.work import Work

NO_LIST = "Pick a subscription list under Audience before activating."
NO_FILTER = "Audience source is ‘Filter by criteria’ but no filter is set."
NOT_A_SEGMENT = (
    "‘Matches the audience filter’ trigger needs Audience source set to ‘Filter by criteria’."
)
NO_EVENT_NAME = "Set an event name under Trigger before activating."
NOBODY_MATCHES = "No contacts match this audience right now."
NO_VERIFIED_DOMAIN = "A verified custom domain is required to send broadcasts and email series."
NO_COMPANY_FOOTER = "Marketing emails require a company footer."
#: The code of what an activation refuses.
NOT_ACTIVATABLE = "not_activatable"
NO_STEPS = "Add at least one step before activating."
NO_UNSUBSCRIBE_PAGE = "Set a public address (HALO_PUBLIC_URL) so that people can unsubscribe."


def failing_checks(work: Work, series: Series, *, first_activation: bool) -> Iterator[str]:
    """Yield the message of every check that fails, in order; the first is what activation refuses
    with.
    """
    audience_problem = _audience_problem(series)
    if audience_problem:
        yield audience_problem
    yield from _trigger_problems(series)
    asks_for_somebody = series.entry_trigger is EntryTrigger.MANUAL and first_activation
    if asks_for_somebody and not audience_problem and not _somebody_matches(work, series):
        yield NOBODY_MATCHES
    if series.kind is SeriesKind.MARKETING:
        if not work.org.verified_domain:
            yield NO_VERIFIED_DOMAIN
        if not work.org.company_footer:
            yield NO_COMPANY_FOOTER
    yield from _step_problems(series)
    yield from swallowed_windows(series)
    if series.kind is SeriesKind.MARKETING and not work.reach.unsubscribe:
        yield NO_UNSUBSCRIBE_PAGE
    if ring := endless_ring(work, series):
        yield ring


def condition_faults(steps: Iterable[Step | StepDefinition]) -> Iterator[Fault]:
    """Yield a fault for each condition without a usable value, at its path in the series."""
    for index, step in enumerate(steps):
        problem = step.condition and step.condition.rule.problem(step.condition.value)
        if problem:
            path = ("steps", index, "condition", "value")
            yield Fault(path, f"Step ‘{step.key}’: {problem}", NOT_ACTIVATABLE)


def refuse_unless_ready(work: Work, series: Series, *, first_activation: bool) -> None:
    """Raise the 400 of the first failing check, if any fails (contract §8)."""
    for message in failing_checks(work, series, first_activation=first_activation):
        raise Refusal(400, NOT_ACTIVATABLE, message)


def _audience_problem(series: Series) -> str | None:
    if series.audience_type is AudienceType.SUBSCRIPTION and series.subscription_id is None:
        return NO_LIST
    if series.audience_type is AudienceType.SEGMENT and not series.audience_filters:
        return NO_FILTER
    return None


def _trigger_problems(series: Series) -> Iterator[str]:
    is_segment = series.audience_type is AudienceType.SEGMENT
    if series.entry_trigger is EntryTrigger.SEGMENT_MATCH and not is_segment:
        yield NOT_A_SEGMENT
    if series.entry_trigger is EntryTrigger.EVENT and not series.settings.entry_event_name:
        yield NO_EVENT_NAME


def _step_problems(series: Series) -> Iterator[str]:
    if not series.steps:
        yield NO_STEPS
    for fault in condition_faults(series.steps):
        yield fault.problem


def _somebody_matches(work: Work, series: Series) -> bool:
    return is_anybody_matched(work.connection, work.org_id, series, work.moment)

"""The nine activation checks, in their order and with their exact words (contract §8)."""

from collections.abc import Iterator

from halo_engine.audience.matched import count_matched
from halo_engine.domain.errors import Refusal
from halo_engine.domain.expressions import parse_expression
from halo_engine.domain.reasons import (
    AudienceType,
    ConditionType,
    EntryTrigger,
    SeriesKind,
)
from halo_engine.domain.series import Condition, Series
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
NO_STEPS = "Add at least one step before activating."


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


def refuse_unless_ready(work: Work, series: Series, *, first_activation: bool) -> None:
    """Raise the 400 of the first failing check, if any fails (contract §8)."""
    for message in failing_checks(work, series, first_activation=first_activation):
        raise Refusal(400, "not_activatable", message)


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
    for step in series.steps:
        problem = _condition_problem(step.condition)
        if problem:
            yield f"Step ‘{step.key}’: {problem}"


def _somebody_matches(work: Work, series: Series) -> bool:
    return count_matched(work.connection, work.org_id, series, work.moment) > 0


def _condition_problem(condition: Condition | None) -> str | None:
    """Return what keeps a condition from being evaluated (check 9)."""
    if condition is None:
        return None
    if condition.type in (ConditionType.EMAIL_OPENED, ConditionType.LINK_CLICKED):
        return None
    if not condition.value or not condition.value.strip():
        return f"condition {condition.type} needs a value"
    if condition.type is ConditionType.USER_PROPERTY:
        try:
            parse_expression(condition.value)
        except Refusal as refusal:
            return refusal.message
    return None

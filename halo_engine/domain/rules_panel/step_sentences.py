"""A step in the panel's words (§17): what it does, how long after the step before, and when."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.rules_panel.filter_sentences import sentence_of_event_groups
from halo_engine.domain.series.conditions import Condition, ConditionType
from halo_engine.domain.series.definition import StepDefinition
from halo_engine.domain.times.windows import CONTACT, SendWindow, Weekday

_UNITS: Final = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)
_DAYS: Final = tuple(Weekday)


def what_it_does(step: StepDefinition) -> str:
    """Return what a step does: the email's subject, or the condition to go on."""
    if step.email is not None:
        return step.email.subject
    assert step.condition is not None
    return f"Goes on only if {condition_in_words(step.condition)}"


def condition_in_words(condition: Condition) -> str:
    """Return what has to be so for a run to go on."""
    match condition.type:
        case ConditionType.EMAIL_OPENED:
            return "the latest email was opened"
        case ConditionType.LINK_CLICKED:
            return "a link in an earlier email was clicked"
        case ConditionType.EVENT_FIRED:
            held = ""
            if condition.filters:
                held = f", with {sentence_of_event_groups(condition.filters)},"
            at_once = ", and as soon as it does" if condition.early else ""
            return f"{shown(condition.value)}{held} fired while waiting here{at_once}"
    return f"{shown(condition.value)} holds"


def delay_in_words(delay: timedelta, *, is_first: bool) -> str:
    """Return when a step is due: ``2 days after entry``, ``At once``."""
    if not delay:
        return "At once"
    return f"{length_in_words(delay)} after {'entry' if is_first else 'the step before'}"


def length_in_words(length: timedelta) -> str:
    """Return a length of time in its largest whole unit: ``90 minutes``, ``2 days``."""
    name, unit = next(each for each in _UNITS if length % each[1] == timedelta(0))
    number = length // unit
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def window_in_words(window: SendWindow | None) -> str:
    """Return when an email may be sent: ``Mon to Fri, 09:00 to 17:00``."""
    if window is None:
        return "At any time"
    zone = f" {window.timezone}" if window.timezone else ""
    if window.timezone == CONTACT:
        zone = " on the contact's clock"
    return f"{_days(window.days)}, {window.opens:%H:%M} to {window.closes:%H:%M}{zone}"


def limits_in_words(step: StepDefinition) -> Iterator[str]:
    """Yield what else decides whether an email is sent: how late it may be, caps (§20)."""
    if step.send_by is not None:
        yield f"skipped if not sent {_within(step.send_by)}"
    if step.ignore_caps:
        yield "not held back by frequency caps"


def _within(length: timedelta) -> str:
    return f"within {length_in_words(length)} of when it is due" if length else "when it is due"


def _days(days: Sequence[Weekday]) -> str:
    places = sorted(_DAYS.index(day) for day in days)
    names = [_DAYS[place].capitalize() for place in places]
    if len(names) == len(_DAYS):
        return "Every day"
    is_row = len(names) > 2 and places[-1] - places[0] == len(places) - 1
    return f"{names[0]} to {names[-1]}" if is_row else ", ".join(names)

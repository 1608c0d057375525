"""What happens next to an active contact, in words (contract §10)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import shown
from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.reasons import SkipReason
from halo_engine.domain.series.conditions import ConditionType
from halo_engine.domain.series.decisions import DueFacts, Finish, Postpone, Send, Waits
from halo_engine.domain.series.definition import Step

#: What happens to a step that is skipped.
_SKIPPED: Final[Mapping[str, str]] = {
    SkipReason.CONDITION_NOT_MET: "As things stand, the condition is not met",
    SkipReason.NO_EMAIL: "As things stand, the step is skipped for want of an address",
    SkipReason.UNSUBSCRIBED: "As things stand, the step is skipped, since it left the list",
    SkipReason.STEP_REMOVED: "The step was removed and is skipped",
    SkipReason.TOO_LATE: "As things stand, the step is skipped, since its email is too late",
    SkipReason.FREQUENCY_CAP: "As things stand, the step is skipped, since the contact got as much "
    "marketing as the frequency caps allow",
    SkipReason.QUIET_HOURS: "As things stand, the step is skipped, since its send window does not "
    "open outside the quiet hours within 8 days",
}
#: What is said of an email that waits.
WAITS: Final[Mapping[Waits, str]] = {
    Waits.FREQUENCY_CAP: "Until then frequency caps hold it back. ",
    Waits.QUIET_HOURS: "Until then quiet hours hold it back. ",
}
#: The conditions that ask what readers did.
_OF_READERS: Final = (ConditionType.EMAIL_OPENED, ConditionType.LINK_CLICKED)


def worded(decision: Send | Postpone | Finish, facts: DueFacts, *, machines: bool) -> str:
    """Return what becomes of the step, and what follows.

    ``machines``: some opened or clicked mails of the run.
    """
    series, step = facts.run.series, facts.step
    following = then(series.step_after(step, facts.visited))
    if not isinstance(decision, Finish):
        return f"The email will be sent, {following}."
    said = _SKIPPED.get(str(decision.reason), "As things stand, the condition is met")
    if decision.reason == SkipReason.CONDITION_NOT_MET:
        shut = _machines(step) if machines else ""
        return f"{said}, and the enrollment ends.{_if_it_fires(step, following)}{shut}"
    return f"{said}, {following}."


def at_the_latest(latest: datetime | None, zone: ZoneInfo) -> str:
    """Return until when the email may leave; blank if it may at any time (contract §20)."""
    if latest is None:
        return ""
    return f" It is skipped if it has not left by {on_the_clock(latest, zone)}."


def _if_it_fires(step: Step, following: str) -> str:
    """Return what opens the gate before its delay is over; blank if nothing does."""
    if step.condition is None or not step.is_early:
        return ""
    return f" Should {shown(step.condition.value)} fire before, {following} at once."


def _machines(step: Step) -> str:
    """Return what keeps a gate shut though its mail seems to have been read; blank if nothing."""
    if step.condition is None or step.condition.type not in _OF_READERS:
        return ""
    return " Machines opened or clicked its emails, which does not count here."


def then(following: Step | None) -> str:
    """Return what follows a step."""
    return f"then comes step ‘{following.key}’" if following else "then the run ends"

"""Why a guard refuses a contact, and what would have to change: one function a guard (§4, §10).

``already_active`` has none: explain answers ``active`` first.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from halo_engine.answers.explain_facts import ExplainFacts, Reason
from halo_engine.answers.filter_results import holds_all
from halo_engine.domain.durations import format_duration
from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import (
    AudienceType,
    ContactTypeChoice,
    ReasonCode,
    SeriesStatus,
)


def _series_not_active(facts: ExplainFacts) -> Reason:
    return {
        SeriesStatus.DRAFT: Reason(
            "The series is still a draft, and a draft enrolls nobody.", "Activate the series."
        ),
        SeriesStatus.PAUSED: Reason(
            "The series is paused, and nobody enters meanwhile.", "Resume the series."
        ),
        SeriesStatus.COMPLETED: Reason(
            "The series is completed: it was stopped, or a manual series has run its course.",
            "Nothing: a completed series takes nobody. Send another series.",
        ),
    }[facts.series.status]


def _contact_type(facts: ExplainFacts) -> Reason:
    is_for, has = facts.series.contact_type, facts.known.contact_type
    if is_for is ContactTypeChoice.USER:
        change = "Identify it with a user ID, which turns the lead into a user"
    else:
        change = "A user does not become a lead again"
    return Reason(
        f"The series is for {is_for}s only, and this contact is a {has}.",
        f"{change}; or set the contact type to ‘Users and leads’.",
    )


def _audience_mismatch(facts: ExplainFacts) -> Reason:
    series, known = facts.series, facts.known
    match series.audience_type:
        case AudienceType.ALL:
            return Reason("It has no email address.", "Give it an email address.")
        case AudienceType.SUBSCRIPTION if known.list_key is None:
            return Reason("The series has no subscription list.", "Pick a list under Audience.")
        case AudienceType.SUBSCRIPTION:
            why = f"It is not an active subscriber of the list {shown(known.list_key)}."
            return Reason(why, f"It has to subscribe to {shown(known.list_key)}.")
        case AudienceType.SEGMENT if not facts.audience:
            return Reason("The audience has no filter.", "Add a filter under Audience.")
    failing = [[seen for seen in group if not seen.holds] for group in facts.audience]
    saw = "; or ".join(facts.saw(group) for group in failing)
    needed = "; or ".join(facts.needs(group) for group in failing)
    missing = any(seen.missing for group in failing for seen in group)
    return Reason(
        f"The audience filter does not hold: {saw}.",
        f"Needed: {needed}.{' A missing value matches nothing.' if missing else ''}",
    )


def _suppressed(facts: ExplainFacts) -> Reason:
    known = facts.known
    if known.bounced_at is not None:
        why = f"Mail to its address bounced on {facts.said(known.bounced_at)}."
        return Reason(why, "Give it another email address; a bounce is not lifted.")
    if known.complained_at is not None:
        return Reason(
            f"A mail to its address was called spam on {facts.said(known.complained_at)}.",
            "Give it another email address, or lift it: `halo contacts unsuppress`.",
        )
    why = f"Its address was unsubscribed from everything on {facts.said(known.unsubscribed_at)}."
    return Reason(why, "It has to subscribe again.")


def _already_enrolled(facts: ExplainFacts) -> Reason:
    why = f"{facts.earlier_run}Re-enrollment is off."
    return Reason(why, "Switch re-enrollment on.")


def _reenroll_delay(facts: ExplainFacts) -> Reason:
    days, latest_at = facts.series.settings.reenroll_delay_days, facts.known.latest_at
    assert days is not None
    assert latest_at is not None
    delay = timedelta(days=days)
    until = latest_at + delay
    return Reason(
        f"{facts.earlier_run}From the beginning of one enrollment to the next there have to be "
        f"{format_duration(delay)}.",
        f"Wait until {facts.said(until)}, or shorten the delay.",
        until,
    )


def _not_newly_matching(facts: ExplainFacts) -> Reason:
    return Reason(
        f"{facts.earlier_run}It has not been seen outside the audience since.",
        "It has to leave the audience, be seen outside, and match again.",
    )


def _exit_filter(facts: ExplainFacts) -> Reason:
    holding = [group for group in facts.exits if holds_all(group)]
    saw = "; and ".join(facts.saw(group) for group in holding)
    rules = "; and ".join(facts.needs(group) for group in holding)
    return Reason(f"The exit filter holds already: {saw}.", f"It must no longer hold: {rules}.")


def _company_already_enrolled(facts: ExplainFacts) -> Reason:
    known = facts.known
    return Reason(
        f"The series takes one contact of each company, and {shown(known.holder)} has been in it "
        f"since {facts.said(known.holder_at)}.",
        f"The enrollment of {shown(known.holder)} has to end.",
    )


REFUSALS: Final[Mapping[ReasonCode, Callable[[ExplainFacts], Reason]]] = {
    ReasonCode.SERIES_NOT_ACTIVE: _series_not_active,
    ReasonCode.CONTACT_TYPE: _contact_type,
    ReasonCode.AUDIENCE_MISMATCH: _audience_mismatch,
    ReasonCode.SUPPRESSED: _suppressed,
    ReasonCode.ALREADY_ENROLLED: _already_enrolled,
    ReasonCode.REENROLL_DELAY: _reenroll_delay,
    ReasonCode.NOT_NEWLY_MATCHING: _not_newly_matching,
    ReasonCode.EXIT_FILTER: _exit_filter,
    ReasonCode.COMPANY_ALREADY_ENROLLED: _company_already_enrolled,
}

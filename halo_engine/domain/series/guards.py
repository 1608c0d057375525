"""The guards of contract §4 in their order, each declared once: when it refuses, and in words.

``enrollment.guards`` makes one SQL statement of ``GUARDS``, from which enrollment inserts, and
which explain and the ledger read; explain takes its words from here. To add a guard: its code, its
entry in ``GUARDS``, and a migration, since the database knows the codes.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from halo_engine.domain.errors import shown
from halo_engine.domain.fields.results import holds_all
from halo_engine.domain.reasons import ContactTypeChoice, EntryTrigger, SeriesStatus
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ExplainFacts, Reason, audience_mismatch
from halo_engine.domain.series.guard_parts import Deciding, Guard, GuardScope, SeriesColumn, Unused
from halo_engine.domain.times.durations import format_duration


class ReasonCode(StrEnum):
    """Why a contact is not enrolled: the guards in order, then what only explain says (§4)."""

    SERIES_NOT_ACTIVE = "series_not_active"
    CONTACT_TYPE = "contact_type"
    AUDIENCE_MISMATCH = "audience_mismatch"
    SUPPRESSED = "suppressed"
    ALREADY_ACTIVE = "already_active"
    ALREADY_ENROLLED = "already_enrolled"
    REENROLL_DELAY = "reenroll_delay"
    NOT_NEWLY_MATCHING = "not_newly_matching"
    EXIT_FILTER = "exit_filter"
    COMPANY_ALREADY_ENROLLED = "company_already_enrolled"
    ADDRESS_ALREADY_ENROLLED = "address_already_enrolled"
    SURGE_DISCARDED = "surge_discarded"
    SURGE_HELD = "surge_held"
    WAITING_FOR_DATA = "waiting_for_data"
    AWAITING_EVALUATION = "awaiting_evaluation"
    TRIGGER_NOT_FIRED = "trigger_not_fired"


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


def _suppressed(facts: ExplainFacts) -> Reason:
    known = facts.known
    if known.bounced_at is not None:
        why = f"Mail to its address bounced on {facts.said(known.bounced_at)}."
        return Reason(why, "Give it another email address, or lift it: `halo contacts unsuppress`.")
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


def _delay_of(series: Series) -> timedelta | None:
    days = series.settings.reenroll_delay_days
    return timedelta(days=days) if days else None


def _reenroll_delay(facts: ExplainFacts) -> Reason:
    delay, latest_at = _delay_of(facts.series), facts.known.latest_at
    assert delay is not None
    assert latest_at is not None
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


def _address_already_enrolled(facts: ExplainFacts) -> Reason:
    known = facts.known
    return Reason(
        f"The series takes one contact of each address, and {shown(known.namesake)} has been in it "
        f"with this address since {facts.said(known.namesake_at)}.",
        f"The enrollment of {shown(known.namesake)} has to end.",
    )


def _surge_discarded(_facts: ExplainFacts) -> Reason:
    return Reason(
        "It was held in a surge, and discarded. It has not been seen outside the audience since.",
        "It has to leave the audience, be seen outside, and match again.",
    )


def _surge_held(facts: ExplainFacts) -> Reason:
    series, surge = facts.series, facts.series.settings.surge
    bound = (
        f"more came than {series.surge_at_most} in {format_duration(surge.within)}" if surge else ""
    )
    ends = (
        "Somebody has to release whoever is held, or discard them: "
        f"`halo series release {series.key}`, or with `--discard`."
    )
    if pace := series.pace:
        span = format_duration(pace.within)
        ends = f"It enters in its turn: of those who are held {pace.at_most} enter in any {span}."
    return Reason(
        f"It is held since {facts.said(facts.known.held_at)}: "
        f"{bound or 'others are held before it'}.",
        ends,
    )


#: The guards in the order in which they are asked; the first that refuses gives the code (§4).
GUARDS: Final = (
    Guard(
        key=ReasonCode.SERIES_NOT_ACTIVE,
        words="the status is not `active`",
        about=GuardScope.SERIES,
        reads=SeriesColumn("is_active", bool, lambda series: series.is_active),
        refuses=lambda pair: ~pair.is_active,
        then="the series was not active any more",
        why=_series_not_active,
    ),
    Guard(
        key=ReasonCode.CONTACT_TYPE,
        words="the contact type does not fit",
        about=GuardScope.MATCH,
        reads=SeriesColumn("wants", str, lambda series: series.contact_type.value),
        refuses=lambda pair: (
            (pair.wants != ContactTypeChoice.BOTH.value) & (pair.wants != pair.contact_type)
        ),
        then="its contact type did not fit",
        why=_contact_type,
    ),
    Guard(
        key=ReasonCode.AUDIENCE_MISMATCH,
        words="the audience does not hold now",
        about=GuardScope.MATCH,
        refuses=lambda pair: ~pair.audience_holds,
        then="the audience did not hold",
        why=audience_mismatch,
        shows=Deciding("audience_filters", lambda _group, seen: not seen.holds),
    ),
    Guard(
        key=ReasonCode.SUPPRESSED,
        words="the address is suppressed",
        about=GuardScope.MATCH,
        refuses=lambda pair: pair.suppressed,
        then="its address was suppressed",
        why=_suppressed,
    ),
    Guard(
        key=ReasonCode.ALREADY_ACTIVE,
        words="the contact has an active enrollment here, whatever the settings",
        about=GuardScope.HISTORY,
        refuses=lambda pair: pair.is_enrolled,
        then="it was in the series already",
    ),
    Guard(
        key=ReasonCode.ALREADY_ENROLLED,
        words="it was enrolled before, and `reenroll_enabled` is false",
        about=GuardScope.HISTORY,
        reads=SeriesColumn("reenrolls", bool, lambda series: series.settings.reenroll_enabled),
        refuses=lambda pair: pair.was_enrolled & ~pair.reenrolls,
        then="it had been enrolled before",
        why=_already_enrolled,
    ),
    Guard(
        key=ReasonCode.REENROLL_DELAY,
        words="fewer than `reenroll_delay_days` have passed since its latest enrollment began",
        about=GuardScope.HISTORY,
        reads=SeriesColumn("reenroll_delay", timedelta, _delay_of),
        refuses=lambda pair: pair.entered_at - pair.latest_at < pair.reenroll_delay,
        then="its latest enrollment was too recent",
        why=_reenroll_delay,
        waits=_delay_of,
        unused=Unused(
            "reenroll_delay_days",
            lambda settings: (
                settings.reenroll_delay_days is not None and not settings.reenroll_enabled
            ),
            "Re-enrollment is off, so its delay does nothing. Set reenroll_enabled: true, or leave "
            "the delay out.",
        ),
    ),
    Guard(
        key=ReasonCode.NOT_NEWLY_MATCHING,
        words="the trigger is `segment_match`, and the contact was not seen outside the audience "
        "since its latest enrollment",
        about=GuardScope.HISTORY,
        reads=SeriesColumn(
            "wants_new_match",
            bool,
            lambda series: series.entry_trigger is EntryTrigger.SEGMENT_MATCH,
        ),
        refuses=lambda pair: pair.was_enrolled & pair.wants_new_match & ~pair.was_outside,
        then="it had not left the audience since its latest enrollment",
        why=_not_newly_matching,
    ),
    Guard(
        key=ReasonCode.EXIT_FILTER,
        words="exit rule `filter_match` is on, and its filter holds already",
        about=GuardScope.SERIES,
        refuses=lambda pair: pair.exit_filter_holds,
        then="the exit filter held",
        why=_exit_filter,
        shows=Deciding("exit_filters", lambda group, _seen: holds_all(group)),
    ),
    Guard(
        key=ReasonCode.COMPANY_ALREADY_ENROLLED,
        words="`one_per_company` is on, and another contact of the company is in the series",
        about=GuardScope.SEAT,
        reads=SeriesColumn("one_per_company", bool, lambda series: series.settings.one_per_company),
        refuses=lambda pair: pair.seat_is_taken,
        then="another contact of its company was in the series",
        why=_company_already_enrolled,
    ),
    Guard(
        key=ReasonCode.ADDRESS_ALREADY_ENROLLED,
        words="`one_per_address` is on, and another contact with its address is in the series",
        about=GuardScope.ADDRESS,
        reads=SeriesColumn("one_per_address", bool, lambda series: series.settings.one_per_address),
        refuses=lambda pair: pair.address_is_taken,
        then="another contact with its address was in the series",
        why=_address_already_enrolled,
    ),
    Guard(
        key=ReasonCode.SURGE_DISCARDED,
        words="it was held in a surge and discarded; for `segment_match`, and it was not seen "
        "outside the audience since",
        about=GuardScope.DISCARD,
        refuses=lambda pair: pair.was_discarded,
        then="it was held in a surge, and discarded",
        why=_surge_discarded,
    ),
    Guard(
        key=ReasonCode.SURGE_HELD,
        words="more came than `surge` lets in, or others already wait before it",
        about=GuardScope.SURGE,
        refuses=lambda pair: pair.is_held,
        then="it was held in a surge",
        why=_surge_held,
    ),
)

#: The same by code.
GUARD_OF: Final = {guard.key: guard for guard in GUARDS}


@dataclass(frozen=True, slots=True)
class Unrefused:
    """What explain says of a contact that no guard refuses and that is not enrolled (§4)."""

    key: ReasonCode
    words: str


UNREFUSED: Final = (
    Unrefused(
        key=ReasonCode.WAITING_FOR_DATA,
        words="its trigger came, and the series has patience with what the audience asks for",
    ),
    Unrefused(
        key=ReasonCode.AWAITING_EVALUATION,
        words="the trigger is `segment_match`: the next re-evaluation enrolls the contact",
    ),
    Unrefused(
        key=ReasonCode.TRIGGER_NOT_FIRED,
        words="no trigger has reached this contact",
    ),
)

"""Why a contact that no guard refuses is not in the series: its trigger has not come (§4, §10)."""

from datetime import datetime

from halo_engine.domain.entering.addresses import first_created
from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ExplainFacts, LatestEvent, Reason
from halo_engine.domain.times.cron import next_instant
from halo_engine.work import Work


def awaiting_evaluation(work: Work, facts: ExplainFacts) -> Reason:
    """Return the next re-evaluation, which will enroll the contact (contract §4)."""
    org = work.org
    until = max(next_instant(org.reevaluate_cron, org.zone, org.reevaluated_at), work.now)
    seat = first_created(facts.series.settings)
    return Reason(
        f"Nothing refuses it: the next re-evaluation enrolls it.{seat}",
        f"Wait until {facts.said(until)}.",
        until,
    )


def waiting_for_data(facts: ExplainFacts, now: Reason | None) -> Reason:
    """Return what the contact lacks, and until when it may come (§23); ``now`` is what refuses."""
    known = facts.known
    until = known.waits_until
    why = (
        f"Its trigger came on {facts.said(known.fired_at)}, and until {facts.said(until)} the "
        f"series waits for what the audience asks for."
    )
    if now is None:
        return Reason(
            f"{why} Nothing refuses it any more, but the change came through a silent door.",
            "It enters at its next change that is not silent.",
            until,
        )
    return Reason(f"{why} {now.why}", now.change, until)


def trigger_not_fired(facts: ExplainFacts) -> Reason:
    """Return which trigger the contact waits for, and what happened instead (contract §4)."""
    match facts.series.entry_trigger:
        case EntryTrigger.USER_CREATED:
            return _not_created_while_active(facts)
        case EntryTrigger.EVENT:
            return _event_not_fired(facts)
    return Reason(
        f"{facts.earlier_run}A manual series enrolls who matches when it is activated, which "
        f"was on {facts.said(_activated_at(facts.series))}.",
        "Nothing: later matches are not added. Send another series.",
    )


def _activated_at(series: Series) -> datetime | None:
    return min((start for start, _ in series.active_periods), default=None)


def _not_created_while_active(facts: ExplainFacts) -> Reason:
    created_at = facts.known.created_at
    if facts.known.latest_number:
        how = ""
    elif facts.series.was_active_at(created_at):
        how = ", through a door that is silent"
    else:
        how = ", when the series was not active"
    return Reason(
        f"{facts.earlier_run}It was created on {facts.said(created_at)}{how}.",
        "Nothing: the series takes a contact when it is created. Send another series.",
    )


def _event_not_fired(facts: ExplainFacts) -> Reason:
    known, name = facts.known, shown(facts.series.settings.entry_event_name)
    event = facts.event
    if event is not None and facts.series.was_active_at(event.happened_at) and _is_newer(facts):
        return _event_held_no_filters(facts, event, name)
    if known.latest_number:
        why = f"{facts.earlier_run}The event {name} has not brought it again since."
    elif known.event_count:
        why = (
            f"The event {name} fired for it, the last time on {facts.said(known.event_at)}, "
            "but never live while the series was active."
        )
    else:
        why = f"The event {name} has never fired for it."
    return Reason(why, f"The event {name} has to fire while the series is active.")


def _is_newer(facts: ExplainFacts) -> bool:
    """Return whether the latest event came after the latest run began."""
    latest_at, event = facts.known.latest_at, facts.event
    return event is not None and (latest_at is None or event.happened_at > latest_at)


def _event_held_no_filters(facts: ExplainFacts, event: LatestEvent, name: str) -> Reason:
    fired = f"{facts.earlier_run}The event {name} fired for it on {facts.said(event.happened_at)}"
    if event.holds:
        why = f"{fired}, when the entry filters were others or one of their dates did not hold yet."
        return Reason(why, f"The event {name} has to fire again.")
    saw, needed = facts.misses(event.groups)
    return Reason(
        f"{fired}, but did not hold the entry filters: {saw}.",
        f"The event {name} has to fire while the series is active. Needed: {needed}.",
    )

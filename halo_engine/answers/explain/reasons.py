"""Why a contact is not in a series, and what would have to change, in words (§10)."""

from halo_engine.answers.explain.waiting import (
    awaiting_evaluation,
    trigger_not_fired,
    waiting_for_data,
)
from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import EntryTrigger
from halo_engine.domain.series.definition import Series
from halo_engine.domain.series.explain_facts import ExplainFacts, Reason
from halo_engine.domain.series.guards import GUARD_OF, ReasonCode
from halo_engine.work import Work


def reason_now(work: Work, facts: ExplainFacts, code: ReasonCode) -> Reason:
    """Return the reason for ``code`` as things stand now."""
    match code:
        case ReasonCode.WAITING_FOR_DATA:
            return waiting_for_data(facts, _guard_now(work, facts))
        case ReasonCode.AWAITING_EVALUATION:
            return awaiting_evaluation(work, facts)
        case ReasonCode.TRIGGER_NOT_FIRED:
            return trigger_not_fired(facts)
    why = GUARD_OF[code].why
    assert why is not None
    return why(facts)


def reason_then(work: Work, facts: ExplainFacts, code: ReasonCode) -> Reason:
    """Return the reason of a kept refusal, as it was when the trigger fired (contract §4).

    The values that the guard saw then are not kept.
    """
    known, series = facts.known, facts.series
    fired = "The trigger fired" if series.entry_trigger is EntryTrigger.EVENT else "It was created"
    if series.patience:
        # With the trigger, or with data that came later.
        fired = "It came to the door"
    found = GUARD_OF[code].then
    why = f"{fired} on {facts.said(known.refused_at)} and was refused: {found}."
    now = _guard_now(work, facts)
    if now is None:
        why += " Nothing would refuse it now."
        return Reason(why, _once_more(series))
    return Reason(
        f"{why} As it stands now: {now.why}", f"{now.change} {_once_more(series)}", now.until
    )


def _guard_now(work: Work, facts: ExplainFacts) -> Reason | None:
    guard = facts.known.guard
    return None if guard is None else reason_now(work, facts, ReasonCode(guard))


def _once_more(series: Series) -> str:
    if series.entry_trigger is EntryTrigger.EVENT:
        return f"Then the event {shown(series.settings.entry_event_name)} has to fire again."
    return "A contact is created only once: this series will not take it any more."

"""Why a contact is not in a series, and what would have to change, in words (§10)."""

from collections.abc import Mapping
from typing import Final

from halo_engine.answers.explain_facts import ExplainFacts, Reason
from halo_engine.answers.refusals import REFUSALS
from halo_engine.answers.waiting import awaiting_evaluation, trigger_not_fired
from halo_engine.domain.errors import shown
from halo_engine.domain.reasons import EntryTrigger, ReasonCode
from halo_engine.domain.series import Series


def reason_now(facts: ExplainFacts, code: ReasonCode) -> Reason:
    """Return the reason for ``code`` as things stand now."""
    match code:
        case ReasonCode.AWAITING_EVALUATION:
            return awaiting_evaluation(facts)
        case ReasonCode.TRIGGER_NOT_FIRED:
            return trigger_not_fired(facts)
    return REFUSALS[code](facts)


def reason_then(facts: ExplainFacts, code: ReasonCode) -> Reason:
    """Return the reason of a kept refusal, as it was when the trigger fired (contract §4)."""
    known, series = facts.known, facts.series
    fired = "The trigger fired" if series.entry_trigger is EntryTrigger.EVENT else "It was created"
    why = f"{fired} on {facts.said(known.refused_at)} and was refused: {_THEN[code]}."
    if known.guard is None:
        why += " Nothing would refuse it now."
        return Reason(why, _once_more(series))
    now = reason_now(facts, ReasonCode(known.guard))
    return Reason(
        f"{why} As it stands now: {now.why}", f"{now.change} {_once_more(series)}", now.until
    )


def _once_more(series: Series) -> str:
    if series.entry_trigger is EntryTrigger.EVENT:
        return f"Then the event {shown(series.settings.entry_event_name)} has to fire again."
    return "A contact is created only once: this series will not take it any more."


#: What each guard found when the trigger fired; the values that it saw then are not kept.
_THEN: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.SERIES_NOT_ACTIVE: "the series was not active any more",
    ReasonCode.CONTACT_TYPE: "its contact type did not fit",
    ReasonCode.AUDIENCE_MISMATCH: "the audience did not hold",
    ReasonCode.SUPPRESSED: "its address was suppressed",
    ReasonCode.ALREADY_ACTIVE: "it was in the series already",
    ReasonCode.ALREADY_ENROLLED: "it had been enrolled before",
    ReasonCode.REENROLL_DELAY: "its latest enrollment was too recent",
    ReasonCode.NOT_NEWLY_MATCHING: "it had not left the audience since its latest enrollment",
    ReasonCode.EXIT_FILTER: "the exit filter held",
    ReasonCode.COMPANY_ALREADY_ENROLLED: "another contact of its company was in the series",
}

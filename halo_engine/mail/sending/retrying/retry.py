"""Send failed emails again when an operator asks for it (contract §5, §9).

The run went on when its email failed, so the email is sent beside it, and only to contacts who
would get it today. Each message has an intent as usual, with one transaction before and one after
it: nothing is sent twice, however many operators ask for it.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from halo_engine.domain.reasons import FailReason, SkipReason, Status
from halo_engine.domain.series.decisions import DueFacts, Finish, Postpone
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.sending.capped import held_by_caps, hold_mail_again
from halo_engine.mail.sending.intent import intend_again, message_id_of
from halo_engine.mail.sending.outcomes import Outcome, RowResult, give_up, noting, stamp_contacted
from halo_engine.mail.sending.posting import Posted, PostResult, post
from halo_engine.mail.sending.retrying.retries import RetriedMail, RetryCall, Verdict
from halo_engine.mail.sending.retrying.writing import Letter, change_row, write_page
from halo_engine.mail.sending.throttle import Throttle
from halo_engine.mail.transports.transports import Transport
from halo_engine.series.locks import hold_series_still
from halo_engine.work import Transact, Work

#: Why an email is held back, besides the reasons of exits and skipped rows.
_NOT_WANTED: Final = "not_wanted"
_STOPPED: Final = "sending is stopped"

_VERDICTS: Final[Mapping[PostResult, Verdict]] = {
    PostResult.ACCEPTED: Verdict.SENT,
    PostResult.REFUSED: Verdict.FAILED,
    PostResult.PUT_OFF: Verdict.FAILED,
    PostResult.DOWN: Verdict.STOPPED,
    PostResult.BROKE_OFF: Verdict.STOPPED,
    PostResult.UNKNOWN: Verdict.UNKNOWN,
}


def retry_failed(
    transact: Transact, transport: Transport, sender: Sender, call: RetryCall, throttle: Throttle
) -> Iterator[RetriedMail]:
    """Send failed emails of a series again, in order of their rows; yield each outcome.

    A row that is sent becomes ``completed``; one that fails again gets the new reason. The emails
    are sent at the ``throttle``'s rate. If the server is down or sending is stopped, the rest stays
    as it is. Raises 404 for an unknown series or step, 409 for a series that is a draft or paused.
    """
    after = call.after
    while page := transact(partial(write_page, call=call, sender=sender, after=after)):
        for each in page:
            if isinstance(each, Letter):
                retried = _send(transact, transport, sender, each, throttle)
            else:
                retried = each
            yield retried
            if retried.verdict is Verdict.STOPPED:
                return
            after = retried.recipient_id


def _send(
    transact: Transact, transport: Transport, sender: Sender, letter: Letter, throttle: Throttle
) -> RetriedMail:
    throttle.take_slot(None)
    intent = transact(partial(_intend, sender=sender, letter=letter))
    if isinstance(intent, RetriedMail):
        return intent
    posted = post(transport, throttle, letter.mail, intent)
    retried = RetriedMail(letter.row, _VERDICTS[posted.result], posted.reason)
    transact(partial(_record, letter=letter, retried=retried, posted=posted))
    return retried


def _intend(work: Work, *, sender: Sender, letter: Letter) -> str | RetriedMail:
    """Record the intent and return its Message-ID, or return why there is none.

    Until the outcome is recorded, the row says ``outcome_unknown``.
    """
    work = hold_series_still(work)
    if work.org.sending_stopped:
        return RetriedMail(letter.row, Verdict.STOPPED, _STOPPED)
    fresh = message_id_of(work.org_id, letter.row, sender.of(work.org).domain)
    series, step = letter.due.run.series, letter.due.step
    caps = series.hours.caps if series.is_capped(step) else ()
    if series.counted(step):
        hold_mail_again(work, letter.row, letter.due.run.contact_id)
    intended = intend_again(
        work,
        letter.row,
        letter.address,
        fresh,
        unknown=letter.unknown,
        caps=caps,
        latest=letter.due.latest,
    )
    if intended is None:
        why = _why_held(work, letter.due, is_capped=bool(caps))
        return RetriedMail(letter.row, Verdict.HELD, why)
    change_row(work, letter.row, reason=FailReason.OUTCOME_UNKNOWN)
    return intended


def _why_held(work: Work, due: DueFacts, *, is_capped: bool) -> str:
    """Return why a mail that was wanted when it was written is not any more (contract §20)."""
    if due.is_late(work.now):
        return SkipReason.TOO_LATE
    match held_by_caps(work, due) if is_capped else None:
        case Postpone(why=why):
            return why
        case Finish(reason=str() as reason):
            return reason
    return _NOT_WANTED


def _record(work: Work, *, letter: Letter, retried: RetriedMail, posted: Posted) -> None:
    """Record the outcome; if it was unknown before, only that the email was sent."""
    if retried.verdict is Verdict.SENT:
        _note(work, Outcome(letter.row, RowResult.SENT, relay_id=posted.relay_id))
        change_row(work, letter.row, status=Status.COMPLETED, reason=None)
        stamp_contacted(work, [letter.row])
    elif letter.unknown or retried.verdict is Verdict.UNKNOWN:
        give_up(work, [letter.row])
    else:
        _note(work, Outcome(letter.row, RowResult.FAILED, retried.reason, posted.bounce))
        change_row(work, letter.row, reason=retried.reason)


def _note(work: Work, outcome: Outcome) -> None:
    for call in noting(work.org, outcome, work.now):
        call.rows(work.connection)

"""Settle leased rows once their outcome is known: finish them, or give them back (§9)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from halo_engine.domain.reasons import DeliveryGuarantee, FailReason, Status
from halo_engine.domain.series.decisions import DueFacts, Finish, finish
from halo_engine.domain.series.definition import Series
from halo_engine.journey.record_finished import record_finished
from halo_engine.mail.sending.leases import MOST_ATTEMPTS, Release, release, retry_at
from halo_engine.mail.sending.outcomes import give_up, stamp_contacted
from halo_engine.series.catalogue import load_series
from halo_engine.series.completion import complete_finished
from halo_engine.work import Work


def load_series_of(work: Work, ids: Collection[UUID]) -> Mapping[UUID, Series]:
    """Return the current series of these ids, as far as this code can read them.

    The caller holds the series lock.
    """
    loaded = load_series(work.connection, work.org_id, work.org.hours, ids=set(ids))
    return {each.id: each for each in loaded}


def settle_unknown(due: DueFacts, attempts: int, now: datetime) -> Finish | Release:
    """Decide about a row whose email has an unknown outcome (contract §9).

    By the series' guarantee it fails as ``outcome_unknown``, or is sent again, up to ten attempts.
    """
    guarantee = due.run.series.settings.delivery_guarantee
    if guarantee is DeliveryGuarantee.AT_LEAST_ONCE and attempts < MOST_ATTEMPTS:
        return Release(due.recipient_id, retry_at(attempts, now), tried=True)
    return finish(due, Status.FAILED, FailReason.OUTCOME_UNKNOWN, now)


def settle(work: Work, finished: Sequence[Finish], released: Sequence[Release]) -> None:
    """Finish leased rows that the caller has locked, and give others back (contract §5, §9).

    This also stamps the contacts of sent emails, gives up intents of unknown outcome, and completes
    manual series whose last row was finished.
    """
    release(work.connection, work.org_id, released)
    record_finished(work, finished)
    unknown = [each for each in finished if each.reason == FailReason.OUTCOME_UNKNOWN]
    if unknown:
        give_up(work, [row for each in unknown for row in each.recipient_ids])
    sent = [
        row for each in finished if each.status is Status.COMPLETED for row in each.recipient_ids
    ]
    if sent:
        stamp_contacted(work, sent)
    complete_finished(work, [each.series for each in finished])

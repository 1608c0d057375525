"""Settle expired leases, which dead workers leave behind, so that no row is stuck (§9)."""

from collections.abc import Sequence

from halo_engine.domain.reasons import Status
from halo_engine.domain.series.decisions import DueFacts, Finish, finish
from halo_engine.journey.facts import gather_due
from halo_engine.mail.sending.leases import (
    ExpiredLease,
    Release,
    hold_expired,
    put_off,
)
from halo_engine.mail.sending.outcomes import LogEntry, entries, give_up_abandoned
from halo_engine.mail.sending.settling import load_series_of, settle, settle_unknown
from halo_engine.series.locks import hold_series_still
from halo_engine.work import Work


def reap(
    work: Work,
    limit: int,
    *,
    only: Sequence[int] | None = None,
    taken: list[int] | None = None,
) -> int:
    """Settle at most ``limit`` rows with expired leases; return how many there were (contract §9).

    ``only`` limits this to these rows. The rows are added to ``taken`` before they are settled.
    Rows of a series that this code cannot read are left for later.

    Without an intent the row is pending again. If the send log says sent or failed, so does the
    row. With an intent but no outcome, the series' guarantee decides: the row fails as
    ``outcome_unknown``, or is sent again.
    """
    work = hold_series_still(work)
    give_up_abandoned(work)
    leases = hold_expired(work.connection, work.org_id, limit, only=only)
    if not leases:
        return 0
    if taken is not None:
        taken.extend(lease.row.id for lease in leases)
    # Read after locking the rows, to see intents that were being committed.
    ledger = entries(work, [lease.row.id for lease in leases])
    series = load_series_of(work, [lease.row.run.series_id for lease in leases])
    unreadable = [each.row.id for each in leases if each.row.run.series_id not in series]
    put_off(work.connection, work.org_id, unreadable)
    leases = [each for each in leases if each.row.run.series_id in series]
    if not leases:
        return 0
    rows = [lease.row for lease in leases]
    facts = gather_due(work.connection, work.org_id, work.moment, series, rows)
    verdicts = [
        _verdict(work, lease, due, ledger.get(lease.row.id))
        for lease, due in zip(leases, facts, strict=True)
    ]
    finished = [each for each in verdicts if isinstance(each, Finish)]
    settle(work, finished, [each for each in verdicts if isinstance(each, Release)])
    return len(leases)


def _verdict(
    work: Work, lease: ExpiredLease, due: DueFacts, entry: LogEntry | None
) -> Finish | Release:
    if entry is None:
        return Release(lease.row.id)
    if entry.state == "sent":
        return finish(due, Status.COMPLETED, None, work.now)
    if entry.state == "failed":
        return finish(due, Status.FAILED, entry.error, work.now)
    return settle_unknown(due, lease.attempts, work.now)

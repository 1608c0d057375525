"""Whether an organisation is being looked after: what waits, and what needs a person (``halo
status``).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, exists, func, literal, select, true, union_all

from halo_engine.answers.bounce_counts import MANY, OF_THE_SENDER, Returned, rising_bounces
from halo_engine.answers.parked import (
    ParkedRow,
    ParkedSignal,
    is_parked,
    parked_rows,
    parked_signals,
)
from halo_engine.answers.shape import Answer, Instant
from halo_engine.contacts.stripe_passed_over import passed_over
from halo_engine.domain.bounce_reasons import FOR_GOOD, BounceReason
from halo_engine.domain.bounces import kind_of
from halo_engine.domain.cron import next_instant
from halo_engine.domain.durations import format_duration
from halo_engine.domain.reasons import EntryTrigger, PassedOver, SeriesStatus
from halo_engine.series.catalogue import Unreadable, read_series
from halo_engine.series.lifecycle import held_by_pause
from halo_engine.tables import (
    automation_recipients,
    automation_steps,
    automations,
    installation,
    messages,
    organizations,
    signals,
)
from halo_engine.tables.enrollments import IS_PENDING, IS_PROCESSING
from halo_engine.work import Work

#: What waits longer than this is not being looked after: a tick runs once a minute (contract §1).
PATIENCE: Final = timedelta(minutes=5)
#: How far back failed and unknown mails are counted.
SINCE: Final = timedelta(days=1)


class UnreadableSeries(Answer):
    """A series whose stored definition this code cannot read, and what it does not know in it."""

    series: str
    problem: str


class MailTrouble(Answer):
    """Mails of one series that failed for one reason, or of which nobody knows (``unknown``).

    ``kind`` is what the mail server's words of a refusal speak of; None where there are none.
    """

    series: str
    state: str
    reason: str | None
    kind: BounceReason | None
    mails: int
    latest: Instant


class Stopped(Answer):
    """Who stopped the organisation's mail, or (``everywhere``) all mail, and when."""

    everywhere: bool
    since: Instant
    by: str


class MailServer(Answer):
    """Since when workers find the mail server down, and what it says."""

    down_since: Instant
    reason: str


class Status(Answer):
    """What waits in an organisation, and since when; ``needs`` says what a person has to look at.

    ``oldest_signal`` is the arrival of the oldest unhandled signal, ``oldest_due`` the instant at
    which the longest waiting row fell due; an activation that a pause holds and rows of a paused
    series do not wait. ``last_reevaluation`` is when the last full pass began, which only a tick
    does; ``reevaluation_due`` is None where no series is re-evaluated. ``abandoned`` are rows that
    a worker took and never finished. Mails are counted ``since``, and so are bounces, where they
    rise. While mail is ``stopped`` or the ``mail_server`` is down, rows due at an email are
    ``held`` instead of ``due``. ``parked`` counts the signals that were set aside, ``parked_rows``
    the rows; ``retried`` what failed and will be tried again by itself, of which the oldest failed
    first at ``oldest_retried``.
    ``stripe_passed_over`` counts what Stripe ever sent about nobody.
    """

    org: str
    needs: tuple[str, ...]
    signals: int
    oldest_signal: Instant | None
    due: int
    oldest_due: Instant | None
    held: int
    oldest_held: Instant | None
    stopped: tuple[Stopped, ...]
    mail_server: MailServer | None
    abandoned: int
    last_reevaluation: Instant
    reevaluation_due: Instant | None
    parked: int
    parked_signals: tuple[ParkedSignal, ...]
    parked_rows: int
    rows_set_aside: tuple[ParkedRow, ...]
    retried: int
    oldest_retried: Instant | None
    unreadable: tuple[UnreadableSeries, ...]
    since: Instant
    failed_mails: int
    unknown_mails: int
    mail_troubles: tuple[MailTrouble, ...]
    rising_bounces: tuple[Returned, ...]
    stripe_passed_over: Mapping[PassedOver, int]


#: So many refusals that are not about their addresses are no chance: something of ours is refused.
_MANY_REFUSALS: Final = 3
#: Nobody but the recipient can mend these.
_THE_RECIPIENTS: Final = FOR_GOOD | {BounceReason.MAILBOX_FULL, BounceReason.MAILBOX_DISABLED}

#: An answer names this many parked signals and troubles, and counts them all.
_MOST_SHOWN: Final = 20


def status(work: Work, patience: timedelta = PATIENCE, since: timedelta = SINCE) -> Status:
    """Return how the organisation stands; only what the database knows, so no worker is asked."""
    waiting = work.connection.execute(_waiting_signals(work)).one()
    stopped = tuple(_stopped(work))
    mail_server = _mail_server(work)
    mail_waits = bool(stopped) or mail_server is not None
    due = work.connection.execute(_due_rows(work, mail_waits=mail_waits)).one()
    aside = work.connection.execute(_parked(work)).one()
    troubles = _mail_troubles(work, work.now - since)
    found = Status(
        org=work.org.key,
        needs=(),
        signals=waiting.number,
        oldest_signal=waiting.oldest,
        due=due.number,
        oldest_due=due.oldest,
        held=due.held,
        oldest_held=due.oldest_held,
        stopped=stopped,
        mail_server=mail_server,
        abandoned=_abandoned(work, patience),
        last_reevaluation=work.org.reevaluated_at,
        reevaluation_due=_reevaluation_due(work),
        parked=aside.signals,
        parked_signals=tuple(
            parked_signals(work, None, signals.c.retry_at.is_(None), most=_MOST_SHOWN)
        ),
        parked_rows=aside.rows,
        rows_set_aside=tuple(
            parked_rows(work, None, automation_recipients.c.retry_at.is_(None), most=_MOST_SHOWN)
        ),
        retried=aside.retried,
        oldest_retried=aside.oldest_retried,
        unreadable=tuple(_unreadable(work)),
        since=work.now - since,
        failed_mails=sum(each.mails for each in troubles if each.state == "failed"),
        unknown_mails=sum(each.mails for each in troubles if each.state == "unknown"),
        mail_troubles=tuple(troubles[:_MOST_SHOWN]),
        rising_bounces=tuple(rising_bounces(work, work.now - since)[:_MOST_SHOWN]),
        stripe_passed_over=passed_over(work),
    )
    needs = [*_needs(found, work.now, patience), *_mail_needs(found, troubles)]
    return found.model_copy(update={"needs": tuple(needs)})


def _mail_needs(found: Status, troubles: Sequence[MailTrouble]) -> Iterator[str]:
    """Say what of mail a person can mend: no address that is wrong, and no single refusal."""
    kinds: Counter[str] = Counter()
    for each in troubles:
        if each.state == "failed" and each.kind not in _THE_RECIPIENTS:
            kinds[each.kind or BounceReason.UNCLEAR] += each.mails
    if kinds.total() >= _MANY_REFUSALS:
        named = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
        yield f"mails that failed for good, not for their addresses: {kinds.total()} ({named})"
    if found.unknown_mails:
        yield f"mails that may or may not have been sent: {found.unknown_mails}"
    for rising in found.rising_bounces:
        if rising.reason in OF_THE_SENDER and rising.reports >= MANY:
            yield f"mails of {rising.series} that come back: {rising.reports} ({rising.reason})"


def _needs(found: Status, now: datetime, patience: timedelta) -> Iterator[str]:
    late = now - patience
    than = f"longer than {format_duration(patience)}"
    if found.oldest_signal is not None and found.oldest_signal < late:
        yield f"signals wait {than}: no worker handles them"
    if found.oldest_due is not None and found.oldest_due < late:
        yield f"rows are due {than}: no worker advances them, or mail is sent too slowly"
    if found.reevaluation_due is not None and found.reevaluation_due < late:
        yield f"the re-evaluation is overdue {than}: no tick comes"
    if found.mail_server is not None and found.held:
        yield f"the mail server is down: {found.mail_server.reason}"
    if found.abandoned:
        yield f"rows that a worker took and never finished: {found.abandoned}"
    yield from _faults(found, late, than)


def _faults(found: Status, late: datetime, than: str) -> Iterator[str]:
    if found.parked:
        yield f"signals that failed and were set aside: {found.parked} (`halo signals list`)"
    if found.parked_rows:
        yield f"rows that failed and were set aside: {found.parked_rows} (`halo rows list`)"
    if found.oldest_retried is not None and found.oldest_retried < late:
        yield f"signals or rows fail again and again, {than}: {found.retried}"
    for each in found.unreadable:
        yield f"series {each.series} cannot be read by this version: {each.problem}"


def _waiting_signals(work: Work) -> Select[int, Any]:
    return select(
        func.count().label("number"), func.min(signals.c.created_at).label("oldest")
    ).where(signals.c.org_id == work.org_id, signals.c.parked_at.is_(None), ~held_by_pause())


def _parked(work: Work) -> Select[int, int, int, Any]:
    """Count what is set aside, and what is tried again."""
    each = union_all(
        *[
            select(literal(table.name).label("name"), table.c.retry_at, table.c.failed_at).where(
                *is_parked(work, table)
            )
            for table in (signals, automation_recipients)
        ]
    ).subquery("parked")
    is_aside = each.c.retry_at.is_(None)
    return select(
        func.count().filter(is_aside, each.c.name == signals.name).label("signals"),
        func.count().filter(is_aside, each.c.name == automation_recipients.name).label("rows"),
        func.count().filter(~is_aside).label("retried"),
        func.min(each.c.failed_at).filter(~is_aside).label("oldest_retried"),
    )


def _unreadable(work: Work) -> Iterator[UnreadableSeries]:
    for each in read_series(work.connection, work.org_id, work.org.zone):
        if isinstance(each, Unreadable):
            yield UnreadableSeries(series=each.key, problem=each.problem)


def _stopped(work: Work) -> Iterator[Stopped]:
    org, all_ = organizations, installation
    for everywhere, table, its in ((True, all_, true()), (False, org, org.c.id == work.org_id)):
        stop = select(table.c.sending_stopped_at, table.c.sending_stopped_by)
        found = work.connection.execute(stop.where(its)).one_or_none()
        if found is not None and found.sending_stopped_at is not None:
            since, by = found
            yield Stopped(everywhere=everywhere, since=since, by=by)


def _mail_server(work: Work) -> MailServer | None:
    said = select(installation.c.mail_down_since, installation.c.mail_down_reason)
    found = work.connection.execute(said).one_or_none()
    if found is None or found.mail_down_since is None:
        return None
    return MailServer(down_since=found.mail_down_since, reason=found.mail_down_reason)


def _due_rows(work: Work, *, mail_waits: bool) -> Select[int, Any, int, Any]:
    series, rows, steps = automations, automation_recipients, automation_steps
    # Counted before anything is joined: there may be very many.
    due = (
        select(
            rows.c.automation_id,
            rows.c.step_id,
            func.count().label("number"),
            func.min(rows.c.scheduled_for).label("oldest"),
        )
        .where(rows.c.org_id == work.org_id, IS_PENDING, rows.c.scheduled_for <= work.now)
        .group_by(rows.c.automation_id, rows.c.step_id)
        .subquery("due")
    )
    of_series = series.c.id == due.c.automation_id
    is_mail = and_(steps.c.email.is_not(None), steps.c.removed_at.is_(None))
    held = and_(is_mail, literal(mail_waits))
    return (
        select(
            func.coalesce(func.sum(due.c.number).filter(~held), 0).label("number"),
            func.min(due.c.oldest).filter(~held).label("oldest"),
            func.coalesce(func.sum(due.c.number).filter(held), 0).label("held"),
            func.min(due.c.oldest).filter(held).label("oldest_held"),
        )
        .select_from(due.join(series, of_series).join(steps, steps.c.id == due.c.step_id))
        .where(
            series.c.org_id == work.org_id,
            steps.c.org_id == work.org_id,
            series.c.status == SeriesStatus.ACTIVE,
        )
    )


def _abandoned(work: Work, patience: timedelta) -> int:
    """Count the rows whose lease ran out long ago, by the clock that leases run on."""
    rows = automation_recipients
    number: int = work.connection.execute(
        select(func.count()).where(
            rows.c.org_id == work.org_id,
            IS_PROCESSING,
            rows.c.lease_expires_at < func.clock_timestamp() - patience,
        )
    ).scalar_one()
    return number


def _mail_troubles(work: Work, since: datetime) -> list[MailTrouble]:
    mails, series = messages, automations
    of_series = and_(series.c.org_id == mails.c.org_id, series.c.id == mails.c.automation_id)
    number = func.count().label("mails")
    rows = work.connection.execute(
        select(
            series.c.key.label("series"),
            mails.c.state,
            mails.c.error.label("reason"),
            number,
            func.max(mails.c.intended_at).label("latest"),
        )
        .select_from(mails.join(series, of_series))
        .where(
            mails.c.org_id == work.org_id,
            mails.c.state.in_(["failed", "unknown"]),
            mails.c.intended_at >= since,
        )
        .group_by(series.c.key, mails.c.state, mails.c.error)
        .order_by(number.desc(), series.c.key, mails.c.state, mails.c.error)
    ).mappings()
    return [
        MailTrouble.model_validate({**row, "kind": kind_of(row["reason"] or "")}) for row in rows
    ]


def _reevaluation_due(work: Work) -> datetime | None:
    """Return when the next re-evaluation is, or was, due; None where no series asks for one."""
    reevaluates = exists().where(
        automations.c.org_id == work.org_id,
        automations.c.status == SeriesStatus.ACTIVE,
        automations.c.entry_trigger == EntryTrigger.SEGMENT_MATCH,
    )
    if not work.connection.scalar(select(reevaluates)):
        return None
    org = work.org
    return next_instant(org.reevaluate_cron, org.zone, org.reevaluated_at)

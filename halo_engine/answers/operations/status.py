"""The state of an organisation: what waits, and what needs a person (``halo status``)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from halo_engine.answers.bounce_counts import Returned, rising_bounces
from halo_engine.answers.held_mail import MailServer, Stopped, mail_holds
from halo_engine.answers.operations.mail_troubles import MailTrouble, mail_needs, mail_troubles
from halo_engine.answers.operations.parked import (
    ParkedRow,
    ParkedSignal,
    parked_rows,
    parked_signals,
)
from halo_engine.answers.operations.ticks import last_tick
from halo_engine.answers.operations.usual_hours import BelowUsual, below_usual
from halo_engine.answers.operations.waiting import (
    count_abandoned,
    due_rows,
    reevaluation_due,
    set_aside,
    waiting_signals,
)
from halo_engine.answers.surges import HeldContacts, held_contacts, held_needs
from halo_engine.contacts.clients.waiting import waiting_now
from halo_engine.contacts.stripe.passed_over import passed_over
from halo_engine.domain.answer import Answer
from halo_engine.domain.reasons import PassedOver
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.instants import Instant
from halo_engine.domain.times.retention import History
from halo_engine.series.catalogue import UnreadableDefinition, read_series
from halo_engine.series.histories import complete_since
from halo_engine.tables import (
    automation_recipients,
    signals,
)
from halo_engine.webhooks.troubles import EndpointTrouble, endpoint_needs, endpoint_troubles
from halo_engine.work import Work

#: What waits longer than this needs a person: a tick runs once a minute (contract §1).
PATIENCE: Final = timedelta(minutes=5)
#: How far back failed and unknown mails are counted.
SINCE: Final = timedelta(days=1)


class UnreadableSeries(Answer):
    """A series whose stored definition this version cannot read, and why."""

    series: str
    problem: str


class Status(Answer):
    """What waits in an organisation, and since when; ``needs`` lists what needs a person.

    ``oldest_signal`` is when the oldest unhandled signal arrived, ``oldest_due`` when the oldest
    due row fell due. An activation that a pause holds, and rows of a paused series, are not
    counted. While mail is ``stopped`` or the ``mail_server`` is down, rows due at an email count as
    ``held``, not ``due``. ``abandoned`` rows were leased by a worker that never finished.

    ``last_tick`` is the installation's last tick, None before the first.
    ``last_reevaluation`` is when a tick last began a pass, ``last_full_pass`` when that began which
    last looked at everybody, None before the first; ``reevaluation_due`` is None if no series needs
    one. Mails and rising bounces are counted from ``since``, or ``complete_since`` where mails of
    after it are not kept any more. ``below_usual`` has the series whose last two whole hours were
    far below their usual ones. ``parked`` and ``parked_rows`` count signals and rows that were set
    aside; ``retried`` what failed and is retried, the oldest since ``oldest_retried``.
    ``stripe_passed_over`` counts Stripe's events that are about no contact. ``waiting_calls`` are
    clients' calls about users who are unknown yet.

    ``webhooks`` lists the endpoints that fail or are off, ``surges`` the series that hold contacts.
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
    last_tick: Instant | None
    last_reevaluation: Instant
    last_full_pass: Instant | None
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
    below_usual: tuple[BelowUsual, ...]
    stripe_passed_over: Mapping[PassedOver, int]
    webhooks: tuple[EndpointTrouble, ...]
    waiting_calls: int
    oldest_waiting_call: Instant | None
    surges: tuple[HeldContacts, ...] = ()
    complete_since: Instant | None = None


#: The most parked signals, rows and troubles that are listed; all are counted.
_MOST_SHOWN: Final = 20


def status(work: Work, patience: timedelta = PATIENCE, since: timedelta = SINCE) -> Status:
    """Return the state of the organisation, from the database alone: no worker is asked."""
    waiting = work.connection.execute(waiting_signals(work)).one()
    holds = mail_holds(work)
    due = work.connection.execute(due_rows(work, mail_waits=holds.any)).one()
    aside = work.connection.execute(set_aside(work)).one()
    calls = waiting_now(work)
    after = work.now - since
    troubles = mail_troubles(work, after)
    kept = complete_since(work, History.MAILS)
    found = Status(
        org=work.org.key,
        needs=(),
        signals=waiting.number,
        oldest_signal=waiting.oldest,
        due=due.number,
        oldest_due=due.oldest,
        held=due.held,
        oldest_held=due.oldest_held,
        stopped=holds.stopped,
        mail_server=holds.mail_server,
        abandoned=count_abandoned(work, patience),
        last_tick=last_tick(work.connection)[0],
        last_reevaluation=work.org.reevaluated_at,
        last_full_pass=work.org.passed_fully_at,
        reevaluation_due=reevaluation_due(work),
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
        since=after,
        failed_mails=sum(each.mails for each in troubles if each.state == "failed"),
        unknown_mails=sum(each.mails for each in troubles if each.state == "unknown"),
        mail_troubles=tuple(troubles[:_MOST_SHOWN]),
        rising_bounces=tuple(rising_bounces(work, after)[:_MOST_SHOWN]),
        below_usual=tuple(below_usual(work.connection, work.now, work.org_id)[:_MOST_SHOWN]),
        stripe_passed_over=passed_over(work),
        webhooks=tuple(endpoint_troubles(work)),
        waiting_calls=calls.number,
        oldest_waiting_call=calls.oldest,
        surges=tuple(held_contacts(work)),
        complete_since=kept if kept and kept > after else None,
    )
    needs = [*_needs(found, work.now, patience), *mail_needs(troubles, found.rising_bounces)]
    needs += [*endpoint_needs(found.webhooks), *held_needs(found.surges)]
    return found.model_copy(update={"needs": tuple(needs)})


def _needs(found: Status, now: datetime, patience: timedelta) -> Iterator[str]:
    late = now - patience
    than = f"longer than {format_duration(patience)}"
    if found.oldest_signal is not None and found.oldest_signal < late:
        yield f"signals wait {than}: no worker handles them"
    if found.oldest_due is not None and found.oldest_due < late:
        yield f"rows are due {than}: no worker advances them, or mail is sent too slowly"
    if found.last_tick is not None and found.last_tick < late:
        yield f"no tick came for {than}: no beat runs"
    if found.reevaluation_due is not None and found.reevaluation_due < late:
        yield f"the re-evaluation is overdue {than}: no tick comes"
    if found.mail_server is not None and found.held:
        yield f"the mail server is down: {found.mail_server.reason}"
    if found.abandoned:
        yield f"rows that a worker took and never finished: {found.abandoned}"
    for each in found.below_usual:
        counts, usual = (" and ".join(map(str, some)) for some in (each.counts, each.usual))
        said = f"{each.activity} are far below their usual hour: {counts}, usually {usual}"
        yield f"series {each.series}: {said}"
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


def _unreadable(work: Work) -> Iterator[UnreadableSeries]:
    for each in read_series(work.connection, work.org_id, work.org.hours):
        if isinstance(each, UnreadableDefinition):
            yield UnreadableSeries(series=each.key, problem=each.problem)

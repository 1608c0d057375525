"""Two contacts become one: a lead that turns out to be a known user (contract §2, Stripe).

Everything stored about the lead becomes the user's, and the lead is deleted. See
``docs/decisions/0020-two-contacts-become-one.md``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Delete,
    Insert,
    Table,
    Text,
    Update,
    Uuid,
    case,
    delete,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import array, insert

from halo_engine.contacts.events.counts import adding_up
from halo_engine.contacts.sending_order import notes_of_both
from halo_engine.contacts.stripe.lead_sides import SAMPLE, Pairs, both, keep_one_side
from halo_engine.contacts.writing.bounds import filled_in
from halo_engine.contacts.writing.sources import DOCUMENTS, STRIPE_COLUMNS, TRAIT_COLUMNS
from halo_engine.domain.series.signals import EVERYTHING, SignalKind
from halo_engine.journey.claim import hold_runs
from halo_engine.series.locks import hold_series_still
from halo_engine.series.noting import note_others, note_removed
from halo_engine.sql.statements import statement
from halo_engine.tables import (
    automation_enrollments,
    automation_recipients,
    confirmations,
    contact_sessions,
    discarded_entries,
    end_users,
    enrollment_refusals,
    event_counts,
    events,
    former_mails,
    former_members,
    held_entries,
    idempotency_keys,
    messages,
    pass_notes,
    pending_members,
    sent_before,
    signals,
    subscription_members,
    waiting_entries,
    webhook_deliveries,
    webhook_events,
)
from halo_engine.work import Work

#: Rows that are given to the user; none can conflict with a row that the user has.
MOVED: Final = (
    confirmations,
    automation_recipients,
    events,
    former_mails,
    idempotency_keys,
    messages,
    pass_notes,
    signals,
)
#: The same, where webhooks were ever asked for.
TOLD: Final = (webhook_events, webhook_deliveries)
#: Rows that are copied unless the user has its own.
COPIED: Final = (
    contact_sessions,
    discarded_entries,
    enrollment_refusals,
    former_members,
    pending_members,
    sent_before,
    subscription_members,
)
#: Rows that are merged by rules of their own, below.
JOINED: Final = (automation_enrollments, event_counts, held_entries, waiting_entries)


def absorb_leads(work: Work, user_of: Mapping[UUID, UUID]) -> None:
    """Merge each lead into the user that it turned out to be; the caller has locked both.

    ``user_of`` maps a lead's id to a user's. The number of statements depends only on how many
    leads the same user has.
    """
    if not user_of:
        return
    work = hold_series_still(work)
    hold_runs(work.connection, work.org_id, {*user_of, *user_of.values()})
    note_removed(work, [*user_of, *user_of.values()])
    # The address of a lead, and its runs, may not become the user's.
    note_others(work, user_of)
    for pairs in _one_lead_a_user(user_of):
        _absorb(work, pairs)


def _one_lead_a_user(user_of: Mapping[UUID, UUID]) -> Iterator[Sequence[tuple[UUID, UUID]]]:
    rest = list(user_of.items())
    while rest:
        first = {user: lead for lead, user in reversed(rest)}
        yield [(lead, user) for user, lead in first.items()]
        rest = [(lead, user) for lead, user in rest if first[user] != lead]


def _absorb(work: Work, pairs: Pairs) -> None:
    for each in (
        keep_one_side(work, pairs),
        _copy_runs(work, pairs),
        *(_move(work, table, pairs) for table in MOVED),
        *(_move(work, table, pairs) for table in TOLD if work.org.webhook_kinds),
        *(_copy_rows(work, table, pairs) for table in COPIED),
        _keep_earlier_place(work, pairs),
        _copy_waiting(work, pairs),
        _end_pending(work, pairs),
        _add_up_counts(work, pairs),
        _fill_in(work, pairs),
        _tell(work, pairs),
        _remove_leads(work, pairs),
    ):
        work.connection.execute(each)


@statement("move_rows_of_lead", table=events, pairs=SAMPLE)
def _move(work: Work, table: Table, pairs: Pairs) -> Update:
    pair = both(pairs)
    return (
        update(table)
        .where(table.c.org_id == work.org_id, table.c.end_user_id == pair.c.lead)
        .values(end_user_id=pair.c.user)
    )


@statement("copy_runs_of_lead", pairs=SAMPLE)
def _copy_runs(work: Work, pairs: Pairs) -> Insert:
    return _copy(work, automation_enrollments, pairs, company_seat=null())


@statement("copy_rows_of_lead", table=subscription_members, pairs=SAMPLE)
def _copy_rows(work: Work, table: Table, pairs: Pairs) -> Insert:
    return _copy(work, table, pairs).on_conflict_do_nothing()


@statement("keep_earlier_place_of_lead", pairs=SAMPLE)
def _keep_earlier_place(work: Work, pairs: Pairs) -> Insert:
    """Of a surge that holds both, keep the place of the one that was held first (contract §19)."""
    held = _copy(work, held_entries, pairs)
    said = ("id", "held_at", "event_id")
    return held.on_conflict_do_update(
        index_elements=["org_id", "automation_id", "end_user_id"],
        set_={name: held.excluded[name] for name in said},
        where=held.excluded.id < held_entries.c.id,
    )


@statement("copy_waiting_of_lead", pairs=SAMPLE)
def _copy_waiting(work: Work, pairs: Pairs) -> Insert:
    """Let the user wait for what either waits for: the later trigger stays (§23)."""
    copied, waiting = _copy(work, waiting_entries, pairs), waiting_entries
    trigger = {name: copied.excluded[name] for name in ("fired_at", "event_id", "arrival")}
    return copied.on_conflict_do_update(
        index_elements=[waiting.c.org_id, waiting.c.automation_id, waiting.c.end_user_id],
        set_=trigger,
        where=tuple_(copied.excluded.fired_at, copied.excluded.arrival)
        > tuple_(waiting.c.fired_at, waiting.c.arrival),
    )


@statement("end_pending_of_lead", pairs=SAMPLE)
def _end_pending(work: Work, pairs: Pairs) -> Delete:
    """End what is pending of lists that the user is on, by its own membership or the lead's."""
    pair, pending, members = both(pairs), pending_members, subscription_members
    return delete(pending).where(
        pending.c.org_id == work.org_id,
        pending.c.end_user_id == pair.c.user,
        members.c.org_id == pending.c.org_id,
        members.c.end_user_id == pending.c.end_user_id,
        members.c.subscription_id == pending.c.subscription_id,
    )


@statement("add_up_counts_of_lead", pairs=SAMPLE)
def _add_up_counts(work: Work, pairs: Pairs) -> Insert:
    return adding_up(_copy(work, event_counts, pairs))


def _copy(work: Work, table: Table, pairs: Pairs, **changes: Any) -> postgresql.Insert:
    """Return the INSERT that copies the lead's rows for the user; its own are deleted with it."""
    pair = both(pairs)
    values: dict[str, Any] = {"end_user_id": pair.c.user, **changes}
    rows = (
        select(*[values.get(column.name, column) for column in table.c])
        .where(table.c.org_id == work.org_id, table.c.end_user_id == pair.c.lead)
        .order_by(pair.c.user)
    )
    return insert(table).from_select(list(table.c), rows, include_defaults=False)


@statement("fill_in_from_lead", pairs=SAMPLE)
def _fill_in(work: Work, pairs: Pairs) -> Update:
    """Give the user the lead's values where it has none of its own."""
    pair = both(pairs)
    user, lead = end_users, end_users.alias("lead")
    values: dict[str, ColumnElement[Any]] = {
        name: func.coalesce(user.c[name], lead.c[name]) for name in TRAIT_COLUMNS
    }
    values |= filled_in(
        {name: user.c[name] for name in DOCUMENTS}, {name: lead.c[name] for name in DOCUMENTS}
    )
    has_subscription = user.c.stripe_subscription_id.is_not(None)
    values |= {
        name: case(
            (has_subscription, user.c[name]), else_=func.coalesce(user.c[name], lead.c[name])
        )
        for name in STRIPE_COLUMNS
    }
    return (
        update(user)
        .where(
            user.c.org_id == work.org_id,
            user.c.id == pair.c.user,
            lead.c.org_id == work.org_id,
            lead.c.id == pair.c.lead,
        )
        .values(
            **values,
            first_seen=func.least(user.c.first_seen, lead.c.first_seen),
            last_seen=func.greatest(user.c.last_seen, lead.c.last_seen),
            last_contacted_at=func.greatest(user.c.last_contacted_at, lead.c.last_contacted_at),
            field_times=notes_of_both(user.c.field_times, lead.c.field_times),
            updated_at=func.greatest(user.c.updated_at, lead.c.updated_at, work.now),
        )
    )


@statement("remove_leads", pairs=SAMPLE)
def _remove_leads(work: Work, pairs: Pairs) -> Delete:
    gone = end_users.c.id.in_([lead for lead, _ in pairs])
    return delete(end_users).where(end_users.c.org_id == work.org_id, gone)


@statement("signal_absorbed", pairs=SAMPLE)
def _tell(work: Work, pairs: Pairs) -> Insert:
    """Write a signal that every field of the user may have changed."""
    pair = both(pairs)
    rows = select(
        literal(work.org_id, Uuid()),
        literal(SignalKind.CHANGED.value, Text()),
        pair.c.user,
        array([literal(EVERYTHING, Text())]),
        literal(work.now, signals.c.happened_at.type),
        literal(work.now, signals.c.created_at.type),
    )
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return insert(signals).from_select(columns, rows, include_defaults=False)

"""Stripe's own objects: a list of subscriptions, and events as webhooks carry them (contract §2).

The caller has verified the webhook's signature. See ``docs/decisions/0008-stripe.md``.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from halo_engine.contacts.batches import Batch, RefusedEntry, entries_of, read_each
from halo_engine.contacts.calls import Call, described_as
from halo_engine.contacts.events.rows import CheckedEvent, write_events
from halo_engine.contacts.stripe.customer_contacts import CustomerFacts
from halo_engine.contacts.stripe.customers import write_customers
from halo_engine.contacts.stripe.objects import (
    StripeCustomer,
    StripeEvent,
    StripeInvoice,
    StripeMetadata,
    StripeSubscription,
    addresses_of,
    instant_of,
)
from halo_engine.contacts.stripe.passed_over import note_passed_over
from halo_engine.contacts.writing.written import WrittenContact
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.domain.reasons import PassedOver
from halo_engine.domain.times.instants import format_instant, parse_instant
from halo_engine.work import Work

#: An event of this type carries only the id of its object.
_THIN: Final = "v2.core.event"
_INVOICE_PAID: Final = "invoice.paid"
_CREATION: Final = "customer.subscription.created"
#: The name for an invoice of zero, such as a trial's first one: it is no payment.
_INVOICE_SETTLED: Final = "stripe.invoice_settled"

#: The name under which each of Stripe's types is tracked as an event of the contact.
EVENT_NAMES: Final[Mapping[str, str]] = {
    _CREATION: "stripe.subscription_created",
    "customer.subscription.deleted": "stripe.subscription_deleted",
    "customer.subscription.paused": "stripe.subscription_paused",
    "customer.subscription.resumed": "stripe.subscription_resumed",
    "customer.subscription.trial_will_end": "stripe.trial_will_end",
    "invoice.paid": "stripe.invoice_paid",
    "invoice.payment_failed": "stripe.payment_failed",
}


class StripeSyncCall(Call):
    """A list of subscriptions, each as Stripe's API gives it; ``as_of`` says when, else now."""

    subscriptions: Annotated[Batch, entries_of(StripeSubscription)]
    as_of: str | None = None


class StripeSyncAnswer(Answer):
    """The result: each subscription is counted once, or is among the ``errors``.

    Those ``passed_over`` have no customer. ``warnings`` name what was left out.
    """

    created: int
    updated: int
    passed_over: int = 0
    errors: tuple[RefusedEntry, ...]
    warnings: tuple[str, ...] = ()


class StripeWebhookCall(Call):
    """An event as Stripe's webhook carried it: ``{id, type, created, data: {object}, …}``."""

    event: Annotated[dict[str, Any], described_as(StripeEvent)]


class StripeWebhookAnswer(Answer):
    """The contact of the event, and the name under which it was tracked.

    The contact is None for a type that is not handled. ``passed_over`` says why an event of a
    handled type was passed over. ``warnings`` name what was left out.
    """

    id: UUID | None = None
    created: bool = False
    event: str | None = None
    passed_over: PassedOver | None = None
    warnings: tuple[str, ...] = ()


def stripe_sync(work: Work, call: StripeSyncCall) -> StripeSyncAnswer:
    """Store a list of subscriptions in two statements; series react, ``last_seen`` stays (§2).

    A bad subscription is reported as an error, and so is one of a customer of whom only the id is
    known; the others are written. Raises 400 for an ``as_of`` that is no date, or in the future.
    """
    as_of = _second(_as_of(work, call))

    def read(subscription: StripeSubscription) -> CustomerFacts | None:
        return _facts_of(subscription, as_of)

    readings, errors = read_each(call.subscriptions, StripeSubscription, "subscriptions", read)
    refused = {each.index: each for each in errors}
    sound = [index for index in range(len(call.subscriptions)) if index not in refused]
    facts = {index: each for index, each in zip(sound, readings, strict=True) if each is not None}
    passed_over = len(sound) - len(facts)
    note_passed_over(work, PassedOver.NO_CUSTOMER, passed_over)
    created: dict[UUID, bool] = {}
    updated = 0
    outcomes = write_customers(work, list(facts.values()))
    for index, outcome in zip(facts, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            refused[index] = RefusedEntry.model_validate({"index": index, **outcome.as_dict()})
        elif outcome.created and outcome.id not in created:
            created[outcome.id] = True
        else:
            updated += 1
    return StripeSyncAnswer(
        created=len(created),
        updated=updated,
        passed_over=passed_over,
        errors=tuple(refused[index] for index in sorted(refused)),
        warnings=_warnings(each for index, each in facts.items() if index not in refused),
    )


def stripe_webhook(work: Work, call: StripeWebhookCall) -> StripeWebhookAnswer:
    """Handle an event of Stripe's: about a customer, a subscription or an invoice (contract §2).

    Series react; ``last_seen`` stays. An event that comes twice is tracked once. One that comes
    after a later one leaves the subscription as it is. A thin event, and one without a customer, is
    passed over and counted. Raises 400 for what is no event, 404 for a customer of whom only the id
    is known.
    """
    if call.event.get("object") == _THIN:
        return _passed_over(work, PassedOver.THIN_EVENT)
    event = validated(StripeEvent, call.event, "event")
    said_at = min(instant_of(event.created), _second(work.now))
    read = _reader(event.type)
    if read is None:
        return StripeWebhookAnswer()
    facts = read(event.data.object, said_at)
    if facts is None:
        return _passed_over(work, PassedOver.NO_CUSTOMER)
    [outcome] = write_customers(work, [facts])
    if isinstance(outcome, Refusal):
        raise outcome
    name = _name_of(event)
    if name is not None:
        write_events(work, {0: _checked_event(name, event, said_at, outcome)}, reported=True)
    return StripeWebhookAnswer(
        id=outcome.id, created=outcome.created, event=name, warnings=facts.warnings
    )


def _warnings(all_facts: Iterable[CustomerFacts]) -> tuple[str, ...]:
    """Return the warnings of a list, each once."""
    found = dict.fromkeys(warning for each in all_facts for warning in each.warnings)
    return tuple(found)


def _passed_over(work: Work, why: PassedOver) -> StripeWebhookAnswer:
    note_passed_over(work, why)
    return StripeWebhookAnswer(passed_over=why)


def _as_of(work: Work, call: StripeSyncCall) -> datetime:
    if call.as_of is None:
        return work.now
    as_of = parse_instant(call.as_of, work.org.zone, "as_of")
    if as_of > work.now:
        problem = f"{shown(call.as_of)} is in the future; allowed is up to now"
        raise bad_input("as_of", problem, "future_timestamp")
    return as_of


def _second(instant: datetime) -> datetime:
    """Return the instant in whole seconds, as Stripe writes it; a second has no order within."""
    return instant.replace(microsecond=0)


def _reader(type_: str) -> Callable[[object, datetime], CustomerFacts | None] | None:
    if type_ == _CREATION:
        return _read_creation
    if type_.startswith("customer.subscription."):
        return _read_subscription
    if type_ in ("customer.created", "customer.updated"):
        return _read_customer
    return _read_invoice if type_ in EVENT_NAMES else None


def _read_subscription(data: object, said_at: datetime) -> CustomerFacts | None:
    return _facts_of(validated(StripeSubscription, data, "event.data.object"), said_at)


def _read_creation(data: object, said_at: datetime) -> CustomerFacts | None:
    facts = _read_subscription(data, said_at)
    return facts and replace(facts, is_creation=True)


def _facts_of(subscription: StripeSubscription, said_at: datetime) -> CustomerFacts | None:
    customer = subscription.customer
    if customer is None:
        return None
    address, warnings = addresses_of(customer.email)
    return CustomerFacts(
        customer=customer.id,
        user_id=_user_id(subscription.metadata, customer.metadata),
        email=address,
        said_at=said_at,
        subscription=subscription.id,
        columns=subscription.columns(),
        warnings=warnings,
    )


def _read_customer(data: object, said_at: datetime) -> CustomerFacts:
    customer = validated(StripeCustomer, data, "event.data.object")
    address, warnings = addresses_of(customer.email)
    user_id = _user_id(customer.metadata)
    return CustomerFacts(customer.id, user_id, address, said_at, warnings=warnings)


def _read_invoice(data: object, said_at: datetime) -> CustomerFacts | None:
    invoice = validated(StripeInvoice, data, "event.data.object")
    if invoice.customer is None:
        return None
    address, warnings = addresses_of(invoice.customer.email, invoice.customer_email)
    user_id = _user_id(*invoice.all_metadata)
    return CustomerFacts(invoice.customer.id, user_id, address, said_at, warnings=warnings)


def _user_id(*metadata: StripeMetadata | None) -> str | None:
    """Return the first user ID in the metadata."""
    return next((each.user_id for each in metadata if each and each.user_id), None)


def _name_of(event: StripeEvent) -> str | None:
    """Return the name under which the event is tracked."""
    if event.type == _INVOICE_PAID and event.data.object.get("amount_paid") == 0:
        return _INVOICE_SETTLED
    return EVENT_NAMES.get(event.type)


def _checked_event(
    name: str, event: StripeEvent, said_at: datetime, whose: WrittenContact
) -> CheckedEvent:
    properties: dict[str, Any] = {"stripe_event": event.id}
    if event.type == _INVOICE_PAID and "amount_paid" in event.data.object:
        properties["amount_paid"] = event.data.object["amount_paid"]
    return CheckedEvent(
        name=name,
        user_id=None,
        session_id=None,
        properties=properties,
        happened_at=said_at,
        key=f"stripe:{event.id}",
        fingerprint=hashlib.sha256(event.id.encode()).hexdigest(),
        answer={"event": name, "timestamp": format_instant(said_at)},
        contact_id=whose.id,
    )

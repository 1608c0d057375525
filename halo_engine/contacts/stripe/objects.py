"""The parts of Stripe's objects that the engine reads: subscriptions, customers, invoices, events.

Stripe's objects have many keys, and new ones every year: unknown keys are ignored. See
``docs/decisions/0008-stripe.md``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from halo_engine.contacts.calls import Identifier
from halo_engine.contacts.stripe.subscription import Word
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.traits import ColumnValue, check_email

#: The last second that is a date: the end of the year 9999.
_LAST_SECOND = 253_402_300_799

#: An instant as Stripe writes it: whole seconds since 1970.
Seconds = Annotated[int, Field(ge=0, le=_LAST_SECOND)]


def instant_of(seconds: int) -> datetime:
    """Return the instant."""
    return datetime.fromtimestamp(seconds, UTC)


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else instant_of(seconds)


class StripeObject(BaseModel):
    """An object of Stripe's, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class StripeMetadata(StripeObject):
    """The metadata that the application set at Stripe: the user's ID."""

    user_id: Identifier | None = None


class Addresses(NamedTuple):
    """The first usable address among those that Stripe gives, and warnings of the others."""

    address: str | None
    warnings: tuple[str, ...]


def addresses_of(*written: str | None) -> Addresses:
    """Return what can be used of the addresses of a customer; Stripe checks none of them.

    An empty one is none, as old customers have it. One that is no address is left out with a
    warning: to refuse the object for it would lose what it says of the subscription.
    """
    warnings: list[str] = []
    for each in filter(None, written):
        try:
            return Addresses(check_email(each), tuple(warnings))
        except Refusal as refusal:
            warnings.append(f"{refusal.message}; the customer is taken without it")
    return Addresses(None, tuple(dict.fromkeys(warnings)))


class StripeCustomer(StripeObject):
    """A customer, whole or as another object names it."""

    id: Identifier
    email: str | None = None
    metadata: StripeMetadata | None = None


def _expanded(value: object) -> object:
    """An object names another by its id alone, unless Stripe was asked to expand it."""
    return {"id": value} if isinstance(value, str) else value


#: Null or left out where Stripe bills an account and no customer.
Customer = Annotated[
    StripeCustomer | None,
    BeforeValidator(_expanded, json_schema_input_type=str | StripeCustomer | None),
]


class StripePrice(StripeObject):
    """A price, or a plan, as older versions of Stripe's API call it."""

    id: Word
    nickname: Word | None = None
    lookup_key: Word | None = None
    type: Word = "recurring"

    @property
    def order(self) -> tuple[object, ...]:
        """Return the key by which a subscription's prices are sorted; the first is its plan.

        Recurring prices come first, then those with the smaller lookup key, nickname, id; a price
        that lacks one of them comes after those that have it.
        """
        names = [(name is None, name or "") for name in (self.lookup_key, self.nickname)]
        return self.type != "recurring", *names, self.id


Price = Annotated[
    StripePrice | None,
    BeforeValidator(_expanded, json_schema_input_type=str | StripePrice | None),
]


class StripeItem(StripeObject):
    """One item of a subscription."""

    price: Price = None
    plan: Price = None
    current_period_end: Seconds | None = None

    @property
    def named_price(self) -> StripePrice | None:
        """Return its price, under whichever name this version of the API gives it."""
        return self.price or self.plan


class StripeItems(StripeObject):
    """The items of a subscription."""

    data: list[StripeItem] = Field(default_factory=list)

    @property
    def first(self) -> StripeItem:
        """Return the item whose price is the plan: Stripe promises no order of items."""
        priced = [item for item in self.data if item.named_price is not None]
        items = sorted(priced, key=_order) or self.data
        return items[0] if items else StripeItem()


def _order(item: StripeItem) -> tuple[object, ...]:
    return item.named_price.order if item.named_price else ()


class StripeSubscription(StripeObject):
    """A subscription (``customer.subscription.*``, or a list of them).

    It is set to end if either
    ``cancel_at_period_end`` or ``cancel_at`` says so: which one depends on the billing mode.
    """

    id: Identifier
    customer: Customer = None
    status: Word | None = None
    items: StripeItems | None = None
    plan: Price = None
    trial_end: Seconds | None = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool | None = None
    cancel_at: Seconds | None = None
    metadata: StripeMetadata | None = None

    def columns(self) -> Mapping[str, ColumnValue]:
        """Return the contact's columns that it sets; the others stay as they are."""
        item = self.items.first if self.items else StripeItem()
        price = item.named_price or self.plan
        period_end = self.current_period_end
        said = set(self.model_fields_set)
        # Since 2025 each item has its own period.
        if period_end is None and "current_period_end" in item.model_fields_set:
            period_end = item.current_period_end
            said.add("current_period_end")
        if "cancel_at" in said:
            said.add("cancel_at_period_end")
        values: dict[str, ColumnValue] = {
            "subscription_status": self.status,
            "trial_end": _instant(self.trial_end),
            "current_period_end": _instant(period_end),
            "cancel_at_period_end": self._is_set_to_end(),
        }
        if "status" in said:
            said.add("subscription_status")
        if price is not None:
            values["plan"] = price.nickname or price.id
            said.add("plan")
        return {f"stripe_{name}": value for name, value in values.items() if name in said}

    def _is_set_to_end(self) -> bool | None:
        if self.cancel_at is not None:
            return True
        is_unsaid = self.cancel_at_period_end is None and "cancel_at" in self.model_fields_set
        return False if is_unsaid else self.cancel_at_period_end


class StripeSubscriptionDetails(StripeObject):
    """What an invoice copies from the subscription that it bills."""

    metadata: StripeMetadata | None = None


class StripeInvoiceParent(StripeObject):
    """What an invoice is for."""

    subscription_details: StripeSubscriptionDetails | None = None


class StripeInvoice(StripeObject):
    """An invoice (``invoice.*``); ``amount_paid`` in the currency's smallest unit.

    The subscription's metadata stands under ``parent`` since 2025, directly below before.
    """

    id: Identifier
    customer: Customer = None
    customer_email: str | None = None
    amount_paid: int | None = None
    metadata: StripeMetadata | None = None
    parent: StripeInvoiceParent | None = None
    subscription_details: StripeSubscriptionDetails | None = None

    @property
    def all_metadata(self) -> tuple[StripeMetadata | None, ...]:
        """Return every metadata that may name the user, its own first."""
        copies = (
            self.parent.subscription_details if self.parent else None,
            self.subscription_details,
        )
        copied = [each.metadata for each in copies if each]
        return self.metadata, *copied, self.customer.metadata if self.customer else None


class StripeEventData(StripeObject):
    """What an event is about."""

    object: dict[str, Any]


class StripeEvent(StripeObject):
    """An event, as Stripe's webhooks carry it."""

    id: Identifier
    type: Word
    created: Seconds
    data: StripeEventData

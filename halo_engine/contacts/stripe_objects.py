"""What Stripe sends, as far as the engine reads it: subscriptions, customers, invoices, events.

Stripe's objects have many keys, and new ones every year: those that are not read are passed over.
See ``docs/decisions/0008-stripe.md``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from halo_engine.contacts.calls import Email, Identifier
from halo_engine.contacts.stripe import Word
from halo_engine.domain.traits import ColumnValue

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
    """What the application told Stripe: whose it is."""

    user_id: Identifier | None = None


class StripeCustomer(StripeObject):
    """A customer, whole or as another object names it."""

    id: Identifier
    email: Email | None = None
    metadata: StripeMetadata | None = None


def _expanded(value: object) -> object:
    """An object names its customer by id alone, unless it was asked to expand it."""
    return {"id": value} if isinstance(value, str) else value


Customer = Annotated[
    StripeCustomer, BeforeValidator(_expanded, json_schema_input_type=str | StripeCustomer)
]


class StripePrice(StripeObject):
    """A price, or a plan, as older versions of Stripe's API call it."""

    id: Word
    nickname: Word | None = None


class StripeItem(StripeObject):
    """One of the things that are subscribed to."""

    price: StripePrice | None = None
    plan: StripePrice | None = None
    current_period_end: Seconds | None = None


class StripeItems(StripeObject):
    """The things that are subscribed to; the first one names the plan."""

    data: list[StripeItem] = Field(default_factory=list)


class StripeSubscription(StripeObject):
    """A subscription (``customer.subscription.*``, or a list of them)."""

    id: Identifier
    customer: Customer
    status: Word | None = None
    items: StripeItems | None = None
    plan: StripePrice | None = None
    trial_end: Seconds | None = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool | None = None
    metadata: StripeMetadata | None = None

    def columns(self) -> Mapping[str, ColumnValue]:
        """Return the contact's columns that it says something of; what it leaves out stays."""
        item = self.items.data[0] if self.items and self.items.data else StripeItem()
        price = item.price or item.plan or self.plan
        period_end = self.current_period_end
        said = set(self.model_fields_set)
        # Since 2025 each item has its own.
        if period_end is None and "current_period_end" in item.model_fields_set:
            period_end = item.current_period_end
            said.add("current_period_end")
        values: dict[str, ColumnValue] = {
            "subscription_status": self.status,
            "trial_end": _instant(self.trial_end),
            "current_period_end": _instant(period_end),
            "cancel_at_period_end": self.cancel_at_period_end,
        }
        if "status" in said:
            said.add("subscription_status")
        if price is not None:
            values["plan"] = price.nickname or price.id
            said.add("plan")
        return {f"stripe_{name}": value for name, value in values.items() if name in said}


class StripeInvoice(StripeObject):
    """An invoice (``invoice.*``)."""

    id: Identifier
    customer: Customer
    customer_email: Email | None = None


class StripeEventData(StripeObject):
    """What an event is about."""

    object: dict[str, Any]


class StripeEvent(StripeObject):
    """An event, as Stripe's webhooks carry it."""

    id: Identifier
    type: Word
    created: Seconds
    data: StripeEventData

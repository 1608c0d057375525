"""Stripe's customers and the contacts that they are: what Stripe said, what is stored (§2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from halo_engine.contacts.writing.sources import STRIPE_COLUMNS, STRIPE_LINKS, STRIPE_OBJECTS
from halo_engine.domain.fields.traits import ColumnValue

#: Statuses of subscriptions that are over.
_OVER: Final = frozenset({"canceled", "incomplete_expired"})
_STATUS: Final = "stripe_subscription_status"
#: The columns of a contact that hold its customer and subscription.
KEPT: Final = (*STRIPE_COLUMNS, *STRIPE_LINKS)


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What Stripe said of a customer, and when; and of a subscription, if it named one.

    ``is_creation`` says that the subscription was created just then. ``warnings`` say what of it
    cannot be used.
    """

    customer: str
    user_id: str | None
    email: str | None
    said_at: datetime
    subscription: str | None = None
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)
    is_creation: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class CustomerContact:
    """A contact that customers were matched to; ``said`` are the columns to write.

    ``kept`` is the stored subscription, updated with ``said``. If the contact was made by Stripe
    and ``lacks_address``, it gets the customer's.
    """

    external_id: str | None
    created: tuple[datetime, int | UUID]
    kept: dict[str, Any]
    lacks_address: bool
    id: UUID | None = None
    said: dict[str, ColumnValue] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return a contact that is stored, from a row of ``match_customers``."""
        return cls(
            row["external_id"],
            (row["created_at"], row["id"]),
            {name: row[name] for name in KEPT},
            lacks_address=row["address"] is None and row["source"] == STRIPE_OBJECTS.name,
            id=row["id"],
        )

    def in_order_of_creation(self) -> tuple[datetime, bool, Any]:
        """Return the sort key: stored contacts come before those that are yet to be made."""
        created_at, order = self.created
        return created_at, self.id is None, order

    def take(self, facts: CustomerFacts) -> None:
        """Note the customer, if it is new, and the subscription, if it counts.

        Whatever Stripe says replaces a subscription that the application wrote itself.
        """
        if self.kept["stripe_customer_id"] is None:
            self._note({"stripe_customer_id": facts.customer})
        if self.lacks_address and facts.email is not None:
            self._note({"email": facts.email})
            self.lacks_address = False
        if facts.subscription is not None and self._counts(facts):
            self._note(facts.columns)
            self._note({"stripe_subscription_id": facts.subscription})
            self._note({"stripe_said_at": facts.said_at})

    def facts(self) -> CustomerFacts:
        """Return the stored customer, as Stripe described it."""
        email = self.said.get("email")
        return CustomerFacts(
            customer=self.kept["stripe_customer_id"],
            user_id=None,
            email=email if isinstance(email, str) else None,
            said_at=self.kept["stripe_said_at"],
            subscription=self.kept["stripe_subscription_id"],
            columns={name: self.kept[name] for name in STRIPE_COLUMNS},
        )

    def _note(self, columns: Mapping[str, ColumnValue]) -> None:
        self.said |= columns
        self.kept |= columns

    def _counts(self, facts: CustomerFacts) -> bool:
        said_at = self.kept["stripe_said_at"]
        is_latest = said_at is None or facts.said_at >= said_at
        was_over = self.kept[_STATUS] in _OVER
        is_over = facts.columns.get(_STATUS) in _OVER
        if self.kept["stripe_subscription_id"] in (None, facts.subscription):
            # Within one second the creation comes first and the end last, however they arrive.
            is_before = facts.is_creation or (was_over and not is_over)
            return is_latest and not (facts.said_at == said_at and is_before)
        if is_over:
            return was_over and is_latest
        return was_over or is_latest

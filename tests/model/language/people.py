"""Contacts, companies and events as the model keeps them (contract §1, §2)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.model.language.values import COMPANY_TRAITS, CONTACT_TRAITS


@dataclass(eq=False)
class Company:
    """An account; `columns` holds recognised traits, `custom` everything else (contract §1)."""

    external_id: str
    created_at: datetime
    columns: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(COMPANY_TRAITS))
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Contact:
    """A person; `number` counts contacts in order of creation (contract §1).

    `columns` holds recognised traits, `custom` everything else, `stripe` the subscription. `said`
    is when a call that gave a field was last sent, by the field's key.
    """

    number: int
    source: str
    created_at: datetime
    first_seen: datetime
    last_seen: datetime
    external_id: str | None = None
    last_contacted_at: datetime | None = None
    columns: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(CONTACT_TRAITS))
    custom: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    stripe: dict[str, Any] = field(default_factory=dict)
    company: Company | None = None
    said: dict[str, datetime] = field(default_factory=dict)

    @property
    def contact_type(self) -> str:
        """`user` with an external ID, `lead` without (contract §1)."""
        return "lead" if self.external_id is None else "user"

    @property
    def email(self) -> str | None:
        """The address as it was given, or None when there is none to send to."""
        return self.columns.get("email") or None

    @property
    def address(self) -> str | None:
        """The address as suppression compares it: in lower case (contract §3)."""
        return self.email.lower() if self.email else None

    @property
    def label(self) -> str:
        """How a scenario names the contact: by external ID, else by email."""
        return self.external_id or self.email or f"contact {self.number}"


@dataclass(eq=False)
class Event:
    """Something that a contact, or an anonymous session, did (contract §2).

    `order` is its place in the order of arrival. An event that `only_counts` was history on
    arrival or anonymous until linked: it triggers, ends and passes nothing.
    """

    name: str
    timestamp: datetime
    order: int
    contact: Contact | None
    session_id: str | None
    only_counts: bool
    properties: dict[str, Any] = field(default_factory=dict)

    def is_after(self, instant: datetime, order: int) -> bool:
        """Say whether it fired at or after an instant; within it, arrival decides (§1)."""
        return (self.timestamp, self.order) > (instant, order)

"""The fields that filters and expressions can name, and their values (contract §3)."""

from collections.abc import Callable
from typing import Any

from tests.model.language.people import Company, Contact
from tests.model.language.refusals import RefusedError
from tests.model.language.values import COMPANY_TRAITS, CONTACT_TRAITS

DATES = (
    "signed_up_at",
    "renewal_date",
    "created_at",
    "first_seen",
    "last_seen",
    "last_contacted_at",
    "trial_end",
    "current_period_end",
)
NUMBERS = ("mrr", "arr")
BOOLEANS = ("on_contract", "cancel_at_period_end")
BARE_CUSTOM = ("role", "plan", "avatar")
CONTACT_ATTRIBUTES = (
    "external_id",
    "contact_type",
    "source",
    "created_at",
    "first_seen",
    "last_seen",
    "last_contacted_at",
)
COMPANY_ATTRIBUTES = ("external_id", "created_at")
STRIPE_FIELDS = (
    "subscription_status",
    "plan",
    "trial_end",
    "current_period_end",
    "cancel_at_period_end",
)


def _column_type(name: str) -> str:
    if name in DATES:
        return "date"
    if name in NUMBERS:
        return "number"
    return "boolean" if name in BOOLEANS else "string"


def _contact_type(name: str) -> str | None:
    if name in BARE_CUSTOM or (name.startswith("custom:") and name != "custom:"):
        return "custom"
    return _column_type(name) if name in CONTACT_TRAITS + CONTACT_ATTRIBUTES else None


def _company_type(name: str) -> str | None:
    if name.startswith("custom:") and name != "custom:":
        return "custom"
    return _column_type(name) if name in COMPANY_TRAITS + COMPANY_ATTRIBUTES else None


def field_type(field: object) -> str:
    """Return `string`, `number`, `boolean`, `date` or `custom`; raises `RefusedError` (400)."""
    name = field if isinstance(field, str) else ""
    found: str | None
    if name.startswith("company."):
        found = _company_type(name.removeprefix("company."))
    elif name.startswith("lead:"):
        found = _contact_type(name.removeprefix("lead:"))
    elif name.startswith("stripe:"):
        bare = name.removeprefix("stripe:")
        found = _column_type(bare) if bare in STRIPE_FIELDS else None
    elif name.startswith("event:") and name != "event:":
        found = "number"
    elif name.startswith("list:") and name != "list:":
        found = "boolean"
    elif name.startswith("series:") and name != "series:":
        found = "string"
    else:
        found = _contact_type(name)
    if found is None:
        raise RefusedError(400, f"unknown field {field!r}")
    return found


def keys_of(field: str) -> frozenset[str]:
    """Return the keys of the changes that can change a known field's value (decision 7)."""
    if field.startswith("lead:"):
        return keys_of(field.removeprefix("lead:")) | {"contact_type"}
    if field.startswith("company."):
        return frozenset({field, "company"})
    return frozenset({f"custom:{field}" if field in BARE_CUSTOM else field})


def _of_company(company: Company | None, name: str) -> Any:
    if company is None:
        return None
    if name.startswith("custom:"):
        return company.custom.get(name.removeprefix("custom:"))
    return getattr(company, name) if name in COMPANY_ATTRIBUTES else company.columns.get(name)


def _of_contact(contact: Contact, name: str) -> Any:
    if name.startswith("custom:") or name in BARE_CUSTOM:
        return contact.custom.get(name.removeprefix("custom:"))
    return getattr(contact, name) if name in CONTACT_ATTRIBUTES else contact.columns.get(name)


def field_value(contact: Contact, field: str, count_events: Callable[[str], int]) -> Any:
    """Return the stored value of a known field, None when it is missing (contract §3).

    `count_events` says how often the contact fired an event of a name.
    """
    if field.startswith("company."):
        return _of_company(contact.company, field.removeprefix("company."))
    if field.startswith("lead:"):
        is_lead = contact.contact_type == "lead"
        return _of_contact(contact, field.removeprefix("lead:")) if is_lead else None
    if field.startswith("stripe:"):
        return contact.stripe.get(field.removeprefix("stripe:"))
    if field.startswith("event:"):
        return count_events(field.removeprefix("event:"))
    return _of_contact(contact, field)

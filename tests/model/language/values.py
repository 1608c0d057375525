"""What may be said about a contact or a company: traits and their checks (contract §2)."""

import json
import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.clock import parse_instant
from tests.model.language.refusals import RefusedError, refuse_unless

RESERVED = (
    "id",
    "external_id",
    "org_id",
    "company_id",
    "created_at",
    "updated_at",
    "first_seen",
    "last_seen",
    "last_contacted_at",
    "customer_for",
)
RENEWAL_STATUSES = (
    "up_for_renewal",
    "in_progress",
    "likely_to_renew",
    "expansion_opportunity",
    "set_to_cancel",
    "set_to_cancel_trial",
    "at_risk",
    "renewed",
    "lost",
)
TERMS = ("monthly", "quarterly", "annual", "bi_annual")
ENUMERATED = {
    "renewal_status": RENEWAL_STATUSES,
    "contract_term": TERMS,
    "payment_terms": TERMS,
}
DATES = ("signed_up_at", "renewal_date")
REVENUE = ("mrr", "arr")
COMPANY_TRAITS = ("name", *DATES, *REVENUE, *ENUMERATED, "on_contract")
CONTACT_TRAITS = ("email", *COMPANY_TRAITS)
INT64 = 2**63
MAXIMUM_BYTES = 20_000
MAXIMUM_DEPTH = 32


def _check_text(text: str) -> None:
    refuse_unless("\0" not in text, 400, "text must not contain NUL")
    surrogate = any("\ud800" <= character <= "\udfff" for character in text)
    refuse_unless(not surrogate, 400, "text must not contain lone surrogates")


def check_json(value: Any, depth: int = 1) -> None:
    """Refuse what cannot be stored as JSON: NUL, surrogates, huge numbers, depth (contract §2).

    `depth` is that of `value` itself, the outermost object being 1.
    """
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        refuse_unless(-INT64 <= value < INT64, 400, "numbers must fit 64 bits")
    elif isinstance(value, float):
        refuse_unless(math.isfinite(value), 400, "numbers must be finite")
    elif isinstance(value, dict | list):
        refuse_unless(depth <= MAXIMUM_DEPTH, 400, "nested deeper than 32")
        for key in value if isinstance(value, dict) else ():
            _check_text(key)
        for item in value.values() if isinstance(value, dict) else value:
            check_json(item, depth + 1)


def same_json(left: Any, right: Any) -> bool:
    """Say whether two JSON values are the same; true is not 1 (contract §2)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(same_json(a, b) for a, b in pairs)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _size(*objects: dict[str, Any]) -> int:
    texts = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in objects)
    return sum(len(text.encode()) for text in texts)


def check_objects(traits: Any, context: Any) -> None:
    """Refuse traits and context that are no objects, too large, or cannot be stored."""
    for name, value in (("traits", traits), ("context", context)):
        refuse_unless(isinstance(value, dict), 400, f"{name} must be an object")
        check_json(value)
    named = [key for key in RESERVED if key in traits]
    refuse_unless(not named, 400, f"managed by Halo: {', '.join(named)}")
    too_large = "traits and context together exceed 20,000 bytes"
    refuse_unless(_size(traits, context) <= MAXIMUM_BYTES, 400, too_large)


def parse_trait(name: str, value: Any, zone: ZoneInfo) -> Any:
    """Read the value of a recognised trait; raises `RefusedError` when it is of the wrong type."""
    if value is None:
        return None
    if name in DATES:
        try:
            return parse_instant(value, zone)
        except ValueError:
            raise RefusedError(400, f"{name} must be an ISO 8601 date") from None
    if name in REVENUE:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        refuse_unless(number, 400, f"{name} must be a number")
    elif name == "on_contract":
        refuse_unless(isinstance(value, bool), 400, f"{name} must be true or false")
    else:
        refuse_unless(isinstance(value, str), 400, f"{name} must be text")
    allowed = ENUMERATED.get(name)
    refuse_unless(allowed is None or value in allowed, 400, f"{name} must be one of {allowed}")
    return value


def as_of_signup(columns: dict[str, Any], now: datetime) -> datetime:
    """Return when an imported contact was first and last seen: at its sign-up, else now."""
    signed_up: datetime | None = columns.get("signed_up_at")
    return signed_up or now


def is_plain_text(value: Any, zone: ZoneInfo) -> bool:
    """Say whether a value is text that is no date: what a field of text is registered by."""
    if not isinstance(value, str):
        return False
    try:
        parse_instant(value, zone)
    except ValueError:
        return True
    return False

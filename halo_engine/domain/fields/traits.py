"""Traits and context as callers send them: what is refused, and where each trait is kept (§2)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from halo_engine.domain.errors import Refusal, bad_input, shown
from halo_engine.domain.fields.catalogue import check_name
from halo_engine.domain.times.instants import parse_instant
from halo_engine.domain.values import check_json, check_text, compact_size

LARGEST: Final = 20_000
LONGEST_ID: Final = 255

#: Keys that Halo manages, of contacts and of companies alike.
RESERVED: Final = (
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

RENEWAL_STATUSES: Final = (
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
TERMS: Final = ("monthly", "quarterly", "annual", "bi_annual")

#: Most addresses: too short for any part to be too long, and without two hyphens in a row, which
#: mark names in other scripts.
_PLAIN_LENGTH: Final = 64
_PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*@([a-z0-9]+(-[a-z0-9]+)*\.)+(?P<top>[a-z]{2,})",
    re.ASCII | re.IGNORECASE,
)
#: Names that nobody can have a mailbox in end with one of these.
_SPECIAL: Final = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)

ColumnValue = str | int | float | bool | datetime | None
_Reader = Callable[[object, str, ZoneInfo], ColumnValue]


class Traits(NamedTuple):
    """Traits sorted by where they are kept.

    ``columns`` holds the recognised ones, dates as instants and a null as None; ``signed_up_at`` is
    left out when it is null, which keeps the stored value. ``custom`` holds the others as sent.
    """

    columns: dict[str, ColumnValue]
    custom: dict[str, object]


def split_traits(traits: object, zone: ZoneInfo, context: object = None) -> Traits:
    """Check a contact's traits, and the context sent with them, and sort them (contract §2).

    Dates without an offset are read in ``zone``. Raises a 400 for the first thing that is refused.
    """
    return _split(traits, zone, context, _CONTACT_READERS)


def split_company_traits(traits: object, zone: ZoneInfo) -> Traits:
    """Check a company's traits and sort them; as a contact's, but ``email`` is a custom one."""
    return _split(traits, zone, None, _COMPANY_READERS)


def check_external_id(value: object, field: str = "user_id") -> str:
    """Return ``value`` if it can identify a user or a company; else raise a 400 about ``field``.

    Allowed are 1 to 255 characters, not all blank, without NUL and lone surrogates.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_ID:
        problem = f"{shown(value)} is refused; allowed are 1 to {LONGEST_ID} characters, not blank"
        raise bad_input(field, problem, "bad_id")
    check_text(value, field)
    return value


def check_email(value: object, field: str = "email") -> str:
    """Return ``value`` if it has the syntax of an email address; else raise a 400 about ``field``.

    Nothing is looked up, and the address is kept as it was written.
    """
    try:
        if isinstance(value, str):
            if is_plain_address(value):
                return value
            validate_email(value, check_deliverability=False, test_environment=True)
            return value
    except EmailNotValidError:
        pass
    problem = f"{shown(value)} is not an email address; allowed is one such as ann@acme.com"
    raise bad_input(field, problem, "bad_email")


def is_plain_address(value: str) -> bool:
    """Return whether the library surely accepts the address; asking it takes 60 microseconds."""
    if len(value) > _PLAIN_LENGTH:
        return False
    match = _PLAIN_EMAIL.fullmatch(value)
    return match is not None and match["top"].lower() not in _SPECIAL


def _split(
    traits: object, zone: ZoneInfo, context: object, readers: Mapping[str, _Reader]
) -> Traits:
    checked = _checked(traits, "traits")
    _check_size(checked, _checked(context, "context"))
    reserved = [key for key in RESERVED if key in checked]
    if reserved:
        problem = f"{', '.join(reserved)} cannot be set; Halo manages {', '.join(RESERVED)}"
        raise bad_input("traits", problem, "reserved_trait")
    result = Traits({}, {})
    for name, value in checked.items():
        if name not in readers:
            result.custom[check_name("traits", name)] = value
        elif value is not None:
            result.columns[name] = readers[name](value, f"traits.{name}", zone)
        elif name != "signed_up_at":
            result.columns[name] = None
    return result


def _checked(document: object, where: str) -> dict[str, object]:
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise bad_input(where, f"{shown(document)} is not an object", "bad_json")
    check_json(document, where)
    return document


def _check_size(traits: dict[str, object], context: dict[str, object]) -> None:
    size = sum(compact_size(document) for document in (traits, context) if document)
    if size > LARGEST:
        problem = f"together they are {size} bytes as compact JSON; allowed are {LARGEST}"
        raise bad_input("traits and context", problem, "too_large")


def _text(value: object, where: str, _zone: ZoneInfo) -> str:
    if isinstance(value, str):
        return value
    raise _wrong_type(value, where, "text")


def _email(value: object, where: str, _zone: ZoneInfo) -> str:
    return check_email(value, where)


def _date(value: object, where: str, zone: ZoneInfo) -> datetime:
    return parse_instant(value, zone, where)


def _boolean(value: object, where: str, _zone: ZoneInfo) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong_type(value, where, "true and false")


def _number(value: object, where: str, _zone: ZoneInfo) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise _wrong_type(value, where, "a number")


def _one_of(words: tuple[str, ...]) -> _Reader:
    def read(value: object, where: str, _zone: ZoneInfo) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise _wrong_type(value, where, ", ".join(words))

    return read


def _wrong_type(value: object, where: str, allowed: str) -> Refusal:
    return bad_input(
        where, f"{shown(value)} is refused; allowed are {allowed}, or null", "bad_trait"
    )


_COMPANY_READERS: Final[Mapping[str, _Reader]] = {
    "name": _text,
    "signed_up_at": _date,
    "renewal_date": _date,
    "renewal_status": _one_of(RENEWAL_STATUSES),
    "contract_term": _one_of(TERMS),
    "payment_terms": _one_of(TERMS),
    "on_contract": _boolean,
    "mrr": _number,
    "arr": _number,
}
_CONTACT_READERS: Final[Mapping[str, _Reader]] = {**_COMPANY_READERS, "email": _email}

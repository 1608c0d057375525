"""The subjects of calls: of two calls about the same one, the earlier is done first (``sets``)."""

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from halo_engine.contacts.writing.sources import TRAIT_COLUMNS
from halo_engine.sets import Subject

_COLUMNS: Final = frozenset(TRAIT_COLUMNS)


def about_user(user_id: str) -> Subject:
    """Return the contact of an external ID."""
    return "user", user_id


def about_session(session_id: str) -> Subject:
    """Return an anonymous session."""
    return "session", session_id


def about_company(company_id: str) -> Subject:
    """Return the company of an external ID."""
    return "company", company_id


def about_address(email: object) -> Iterable[Subject]:
    """Return the subject for an email's address; none if it is no address.

    Addresses that are equal in PostgreSQL's lower case are one subject. Others may be too; then
    calls wait for each other without need.
    """
    if isinstance(email, str):
        yield "address", email.lower() if email.isascii() else _folded(email)


def about_key(idempotency_key: str) -> Subject:
    """Return the subject for an idempotency key."""
    return "key", idempotency_key


def custom_fields(traits: Mapping[str, Any] | None) -> Iterable[str]:
    """Return the names of the custom fields among traits."""
    return (name for name in traits or () if name not in _COLUMNS)


@lru_cache(maxsize=1024)
def _folded(email: str) -> str:
    """Return the letters without case and accents; one name for everything that is not ASCII then.

    So ``İ`` and ``i`` are the same letter. PostgreSQL may know letters that Python does not.
    """
    decomposed = unicodedata.normalize("NFKD", email.casefold())
    plain = "".join(each for each in decomposed if not unicodedata.combining(each))
    return plain if plain.isascii() else "not in ASCII"

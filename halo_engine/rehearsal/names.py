"""Names contacts in expectations as observations do: a lead's address may be in any case."""

from collections.abc import Callable
from typing import Any

from halo_engine.rehearsal import observations
from halo_engine.rehearsal.sandbox import Sandbox

#: A key of a row of ``recipients``.
_CONTACT = "contact"


def as_observed(sandbox: Sandbox, name: str, expected: Any) -> Any:
    """Return what ``expect`` holds under a key, its contacts named as observations name them."""
    rename = _RENAMES.get(name)
    if rename is None:
        return expected

    def observed(contact: Any) -> Any:
        if not isinstance(contact, str) or "@" not in contact:
            return contact
        return sandbox.observe(observations.name_of, contact)

    return {key: rename(observed, wanted) for key, wanted in expected.items()}


_Observed = Callable[[Any], Any]


def _listed(observed: _Observed, contacts: list[str]) -> list[str]:
    return [observed(contact) for contact in contacts]


def _keyed(observed: _Observed, by_contact: dict[str, Any]) -> dict[str, Any]:
    return {observed(contact): value for contact, value in by_contact.items()}


def _in_rows(observed: _Observed, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, _CONTACT: observed(row[_CONTACT])} if _CONTACT in row else row for row in rows]


_RENAMES: dict[str, Callable[[_Observed, Any], Any]] = {
    "active": _listed,
    "held": _listed,
    "converted": _listed,
    "sent": _keyed,
    "exited": _keyed,
    "recipients": _in_rows,
}

"""Names contacts in expectations as observations do: a lead's address may be in any case."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from halo_engine.domain.errors import bad_input
from halo_engine.rehearsal import observations
from halo_engine.rehearsal.expected import Expectation
from halo_engine.rehearsal.sandbox import Sandbox

#: How observations name contacts, by their addresses as ``expect`` writes them.
Names = Mapping[str, str]

#: A key of a row of ``recipients``.
_CONTACT = "contact"


def observed_names(sandbox: Sandbox, expected: Expectation) -> Names:
    """Return how observations name whoever ``expect`` names by address; all are asked for at
    once.
    """
    addresses = {
        address
        for key in _RENAMES
        for wanted in getattr(expected, key).values()
        for address in _addresses_in(wanted)
    }
    return sandbox.observe(observations.names_of, sorted(addresses)) if addresses else {}


def _addresses_in(wanted: Iterable[Any]) -> Iterator[str]:
    """Yield the addresses in a list of contacts, in a mapping by contact, or in rows."""
    for each in wanted:
        contact = each.get(_CONTACT) if isinstance(each, dict) else each
        if isinstance(contact, str) and "@" in contact:
            yield contact


def as_observed(names: Names, key: str, expected: Any) -> Any:
    """Return what ``expect`` holds under a key, its contacts named as observations name them.

    Raises a 400 where a contact is given twice, since one value would hide the other.
    """
    rename = _RENAMES.get(key)
    if rename is None:
        return expected
    return {series: rename(names, series, wanted) for series, wanted in expected.items()}


def _listed(names: Names, _series: str, contacts: list[str]) -> list[str]:
    return [names.get(contact, contact) for contact in contacts]


def _keyed(names: Names, series: str, by_contact: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, str] = {}
    for contact in by_contact:
        first = written.setdefault(names.get(contact, contact), contact)
        if first != contact:
            raise bad_input(
                series, f"{first} and {contact} are one contact; allowed is one of them"
            )
    return {name: by_contact[contact] for name, contact in written.items()}


def _in_rows(names: Names, _series: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, _CONTACT: names[row[_CONTACT]]} if _is_named(names, row) else row for row in rows
    ]


def _is_named(names: Names, row: dict[str, Any]) -> bool:
    contact = row.get(_CONTACT)
    return isinstance(contact, str) and contact in names


_RENAMES: dict[str, Callable[[Names, str, Any], Any]] = {
    "active": _listed,
    "held": _listed,
    "converted": _listed,
    "sent": _keyed,
    "exited": _keyed,
    "recipients": _in_rows,
}

"""What a filter saw in one contact (contract §10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from halo_engine.domain.fields.filters import Filter


@dataclass(frozen=True, slots=True)
class FilterResult:
    """One filter's result for one contact.

    ``value`` is an instant for a column that holds one, else JSON; None when nothing is stored.
    ``missing`` is also a value of another type than the filter's (contract §3).
    """

    filter: Filter
    holds: bool
    missing: bool
    value: Any


def holds_all(group: Sequence[FilterResult]) -> bool:
    """Return whether every filter of an AND group holds."""
    return all(seen.holds for seen in group)

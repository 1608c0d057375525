"""A contact's traits as they are shown: recognised and custom ones that have a value (§2)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from halo_engine.contacts.writing.sources import STRIPE_COLUMNS, TRAIT_COLUMNS, field_key
from halo_engine.domain.times.instants import format_instant


def shown_traits(row: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the traits of a row of ``end_users``, but for the email, as JSON."""
    columns = (*(name for name in TRAIT_COLUMNS if name != "email"), *STRIPE_COLUMNS)
    known = {field_key(name): _json(row[name]) for name in columns if row[name] is not None}
    return {**known, **row["custom_fields"]}


def _json(value: object) -> JsonValue:
    match value:
        case datetime():
            return format_instant(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bool() | str():
            return value
    return str(value)

"""What the cells of a CSV file say (contract §2)."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.values import CONTACT_TRAITS, DATES, REVENUE

YES, NO = ("true", "yes", "t", "y", "1"), ("false", "no", "f", "n", "0")
TYPES = ("text", "number", "boolean", "date")
INT64 = 2**63


def read_cell(field: str, text: str, *, as_text: bool) -> Any:
    """Return the value of a cell of `field`; `as_text` if that is a custom field of text."""
    kind = field.rpartition(":")[2]
    if field in REVENUE or kind == "number":
        return _number(field, text)
    if field == "on_contract" or kind == "boolean":
        refuse_unless(text.lower() in YES + NO, 400, f"{field} must be yes or no")
        return text.lower() in YES
    if field in DATES or kind == "date":
        return _unix(text)
    if field in CONTACT_TRAITS:
        return text
    return text if as_text or kind == "text" else _json(text)


def split_field(field: str) -> str:
    """Return the trait that a field of a mapping is of, without its type."""
    name, _, kind = field.rpartition(":")
    named = name if kind in TYPES and name not in ("", "custom") else field
    return named.removeprefix("custom:")


def _number(field: str, text: str) -> Any:
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        raise RefusedError(400, f"{field} must be a number") from None


def _unix(text: str) -> str:
    if not re.fullmatch(r"[0-9]{10}([0-9]{3})?", text):
        return text
    return datetime.fromtimestamp(int(text) / (1 if len(text) == 10 else 1000), UTC).isoformat()


def _json(text: str) -> Any:
    """Return a number or a boolean where JSON would write it just so, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, bool):
        return value
    is_number = isinstance(value, int | float) and json.dumps(value) == text and "e" not in text
    fits = is_number and (isinstance(value, float) or -INT64 < value < INT64)
    return value if fits else text

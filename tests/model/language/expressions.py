"""The expressions of `user_property` conditions (contract §5)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.fields import CONTACT_ATTRIBUTES, field_type
from tests.model.language.filters import Filter, make_filter, value_type
from tests.model.language.refusals import RefusedError
from tests.model.language.values import CONTACT_TRAITS

EXPRESSION = re.compile(r"\s*(.+?)\s*(!=|>=|<=|=|>|<|\scontains\s)\s*(.*?)\s*", re.DOTALL)
OPERATORS = {
    "string": {"=": "is", "!=": "is_not", "contains": "contains"},
    "number": {"=": "is", ">": "gt", "<": "lt", ">=": "gte", "<=": "lte"},
    "boolean": {"=": "is"},
    "date": {"<": "before", ">=": "after"},
}
PREFIXES = ("custom:", "company.", "lead:", "stripe:", "event:", "event.")


def _number(text: str) -> int | float | None:
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError:
        return None


def _read(text: str, kind: str) -> Any:
    if kind == "number":
        return _number(text)
    if kind == "boolean":
        return {"true": True, "false": False}.get(text)
    return text


@dataclass(frozen=True)
class Expression:
    """`key op value`: a filter whose type, for a custom field, is that of what is stored (§5)."""

    field: str
    operator: str
    text: str

    @property
    def kind(self) -> str:
        """The type of the field, `custom` when it is only known from what is stored."""
        return "custom" if self.is_of_event else field_type(self.field)

    @property
    def is_of_event(self) -> bool:
        """Whether it is about the event that began the run (contract §21)."""
        return self.field.startswith("event.")

    def as_filter(self, kind: str) -> Filter:
        """Return the filter for a field of this type; raises `RefusedError` when it has none."""
        known = OPERATORS.get(kind, {})
        if self.field.startswith(("list:", "series:")):
            known = {"=": "is", "!=": "is_not"}
        operator = known.get(self.operator)
        if operator is None:
            raise RefusedError(400, f"{self.field}: a {kind} does not take {self.operator}")
        value = _read(self.text, kind)
        if value is None:
            raise RefusedError(400, f"{self.field}: {self.text!r} is no {kind}")
        return make_filter(self.field, operator, value, "custom" if self.is_of_event else None)

    def passes(self, stored: Any, now: datetime, zone: ZoneInfo) -> bool:
        """Say whether a stored value passes; a missing one never does."""
        kind = self._kind_of(stored) if self.kind == "custom" else self.kind
        try:
            return self.as_filter(kind).passes(stored, now, zone)
        except RefusedError:
            return False

    def _kind_of(self, stored: Any) -> str:
        """Return the type of what is stored; text takes < and >= as a date alone (decision 7)."""
        kind = value_type(stored)
        return "date" if kind == "string" and self.operator in OPERATORS["date"] else kind


def parse_expression(text: object) -> Expression:
    """Read `key op value`; raises `RefusedError` when it is none, or of no use (§5)."""
    found = EXPRESSION.fullmatch(text) if isinstance(text, str) else None
    if not found or not found[3]:
        raise RefusedError(400, f"{text!r} is not key op value")
    key, operator = found[1], found[2].strip()
    named = key in CONTACT_TRAITS + CONTACT_ATTRIBUTES or key.startswith(PREFIXES)
    expression = Expression(key if named else f"custom:{key}", operator, found[3])
    if expression.kind != "custom":
        expression.as_filter(expression.kind)
    return expression

"""A filter as a row of the panel's builder: texts of a form, and back (§17)."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import Entity, FieldType, resolve_in_run
from halo_engine.domain.fields.event_filters import SAME, EventItem, SameProperty, item_form
from halo_engine.domain.fields.filters import Filter, Value
from halo_engine.domain.fields.operators import EMPTINESS, OPERATORS, Operator, operators_of
from halo_engine.domain.times.durations import format_duration

#: The parts of a row, as the form names them.
PARTS: Final = ("field", "operator", "type", "of", "value", "within", "was")

_EVENT: Final = "event."
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
#: Longer texts are no number that can be stored; Python refuses to read some of them.
_LONGEST_NUMBER: Final = 400
_BOOLEANS: Final = {"true": True, "false": False}
#: A one-line input of a browser drops them.
_LINE_ENDS: Final = str.maketrans("", "", "\r\n")


@dataclass(frozen=True, slots=True)
class FilterRow:
    """One filter as the form has it, every part a text; not yet checked.

    ``type`` is how the value of the custom field ``of`` is compared, for which it was chosen.
    ``within`` is the span in which events are counted, empty for all that ever fired. ``was`` is
    the filter that the row was made from, as JSON: while nobody changes the row, that filter is
    kept to the letter. Of a property of an event, the operator may be ``same``, which takes no
    value (§21).
    """

    field: str = ""
    operator: str = Operator.IS
    type: str = FieldType.STRING
    of: str = ""
    value: str = ""
    within: str = ""
    was: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nobody has filled it in."""
        return not self.field and not self.value

    @property
    def is_custom(self) -> bool:
        """Whether the field takes the type of its value."""
        return self.compared_as is None

    @property
    def key(self) -> str:
        """The one name of the field, however it is written; its own if there is no such field."""
        try:
            return resolve_in_run(self.field).key
        except Refusal:
            return self.field

    @property
    def compared_as(self) -> FieldType | None:
        """The type that the field has; None for a custom field, and for one that is unknown."""
        try:
            return resolve_in_run(self.field).type
        except Refusal:
            return None

    @property
    def lacks_type(self) -> bool:
        """Whether it is of a custom field for which nobody has chosen the type yet."""
        return bool(self.field) and self.is_custom and self.of != self.field

    @property
    def value_type(self) -> FieldType:
        """The type of the value: the field's, else the one that was chosen."""
        known = self.compared_as
        if known is not None:
            return known
        return FieldType(self.type) if self.type in list(FieldType) else FieldType.STRING

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators of its field, compared as its type."""
        try:
            return operators_of(resolve_in_run(self.field), self.value_type)
        except Refusal:
            return OPERATORS[self.value_type]

    @property
    def is_same(self) -> bool:
        """Whether it compares with the event that began the run."""
        return self.operator == SAME and self.field.startswith(_EVENT)

    def settled(self) -> "FilterRow":
        """Return it with an operator of its type: the one that was chosen, else the first."""
        is_its = self.is_same or self.operator in self.operators
        return self if is_its else replace(self, operator=self.operators[0])

    @property
    def counts(self) -> bool:
        """Whether it counts events, which it may do within a span."""
        try:
            return self.takes_value and resolve_in_run(self.field).entity is Entity.EVENT
        except Refusal:
            return False

    @property
    def takes_value(self) -> bool:
        """Whether its operator compares with a value; else what is typed beside it is left out."""
        return self.operator not in EMPTINESS

    def lacks_value(self) -> bool:
        """Return whether somebody has yet to write its value."""
        is_due = self.takes_value and not self.is_same
        return is_due and self.value == "" and self._kept() is None

    def written(self) -> dict[str, Any]:
        """Return the filter as a definition writes it, right or wrong."""
        kept = self._kept()
        if kept is not None:
            return kept
        if self.is_same:
            return {SAME: self.field.removeprefix(_EVENT)}
        said: dict[str, Any] = {"field": self.field, "operator": self.operator}
        if self.takes_value:
            said["value"] = self._value()
        if self.counts and self.within.strip():
            said["within"] = self.within.strip()
        return said

    def _value(self) -> Value:
        match self.value_type:
            case FieldType.NUMBER:
                return number_of(self.value)
            case FieldType.BOOLEAN:
                return _BOOLEANS.get(self.value, self.value)
        return self.value

    def _kept(self) -> dict[str, Any] | None:
        """Return the filter that the row was made from, if the row still says the same."""
        before = _read(self.was)
        if before is None or _one_line(row_of(before)) != _one_line(replace(self, was="")):
            return None
        return before.model_dump(mode="json")


def row_of(item: Filter | EventItem) -> FilterRow:
    """Return the row that shows a filter; ``was`` is left empty."""
    if isinstance(item, SameProperty):
        field = f"{_EVENT}{item.same}"
        return FilterRow(field, SAME, FieldType.STRING, field)
    compared_as = item.type or item.target.type or FieldType.STRING
    within = format_duration(item.within) if item.within else ""
    value = _text_of(item.value)
    return FilterRow(item.field, item.operator, compared_as, item.field, value, within)


def _text_of(value: Value | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def kept_row_of(item: Filter | EventItem) -> FilterRow:
    """Return the row that shows a filter, and keeps it while nobody changes the row."""
    return replace(row_of(item), was=json.dumps(item.model_dump(mode="json")))


def number_of(text: str) -> float | str:
    """Return the number that ``text`` writes as JSON does; the text itself if it writes none."""
    trimmed = text.strip()
    if len(trimmed) > _LONGEST_NUMBER or not _NUMBER.fullmatch(trimmed):
        return text
    number: float = json.loads(trimmed)
    return number


def _read(was: str) -> Filter | SameProperty | None:
    """Return the filter in ``was``; None if there is none, for it comes from a browser."""
    if not was:
        return None
    try:
        return item_form(written := json.loads(was)).model_validate(written)
    except (Refusal, ValidationError, TypeError, ValueError, RecursionError):
        return None


def _one_line(row: FilterRow) -> FilterRow:
    # A form says no type where the field has one, and no value where the operator takes none.
    value = row.value.translate(_LINE_ENDS) if row.takes_value else ""
    within = row.within.strip() if row.counts else ""
    return replace(row, type=row.value_type, of="", value=value, within=within)

"""Filters: ``{field, operator, value}``, checked to be valid (contract §3, §22)."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import Field as Given
from pydantic.config import JsonDict

from halo_engine.domain.errors import Fault, bad_input, in_its_place, several, shown
from halo_engine.domain.fields.catalogue import Entity, Field, FieldType, resolve
from halo_engine.domain.fields.operators import EMPTINESS, OPERATORS, Operator, operators_of
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.instants import RelativeInstant, parse_date_value
from halo_engine.domain.values import check_number, check_text, read_back

Value = bool | int | float | str

_WANTED: Final = {
    FieldType.STRING: "text",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.DATE: "a date",
}


def _is_none(value: object) -> bool:
    return value is None


_Span = Annotated[
    timedelta,
    BeforeValidator(in_its_place(parse_duration)),
    PlainSerializer(format_duration, return_type=str),
]
#: In JSON Schema: operators that ask whether there is a value take none, the others need one.
_VALUE_GOES_WITH_OPERATOR: Final[JsonDict] = {
    "if": {
        "properties": {"operator": {"enum": [str(each) for each in EMPTINESS]}},
        "required": ["operator"],
    },
    "then": {"properties": {"value": {"type": "null"}}},
    "else": {"required": ["value"]},
}


class Filter(BaseModel):
    """One comparison of a field with a value, checked to be valid (contract §3).

    ``value`` keeps its JSON form: text, a number or a boolean; a date stays text, absolute or
    relative to now (see ``date_bound``); None with operators that take no value. ``within`` is the
    span before now in which events are counted, None for all that ever fired (contract §22). An
    invalid filter raises a 400 that names field, operator and what is allowed.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, json_schema_extra=_VALUE_GOES_WITH_OPERATOR
    )

    field: str
    operator: Operator
    # Left out where it is None: what is written is what was given.
    value: Annotated[Value | None, Given(exclude_if=_is_none)] = None
    within: Annotated[_Span | None, Given(exclude_if=_is_none)] = None

    @property
    def target(self) -> Field:
        """The field that is compared."""
        return resolve(self.field)

    @property
    def type(self) -> FieldType | None:
        """The type that is compared: the field's, or for a custom field that of the value.

        None if the operator takes no value: nothing is compared.
        """
        if self.value is None:
            return None
        if self.operator in OPERATORS[FieldType.DATE]:
            return FieldType.DATE
        return self.target.type or _type_of(self.value)

    @field_validator("operator", mode="before")
    @classmethod
    def _is_operator(cls, word: object, info: ValidationInfo) -> Operator:
        for operator in Operator:
            if operator == word:
                return operator
        problem = f"operator {shown(word)} is unknown; allowed are {', '.join(Operator)}"
        raise bad_input(info.data.get("field", "filter"), problem, "bad_operator")

    @field_validator("value", mode="before")
    @classmethod
    def _is_scalar(cls, value: object, info: ValidationInfo) -> object:
        operator = info.data.get("operator")
        if isinstance(operator, Operator) and not operator.takes_value:
            _check_nothing(value, f"{info.data.get('field', 'filter')} {operator}")
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            # Definitions are kept as JSON, and read as strictly as they were written.
            return read_back(value)
        if isinstance(value, Value):
            return value
        where = " ".join(str(part) for part in info.data.values()) or "filter"
        problem = f"{shown(value)} cannot be compared; allowed are text, a number, true and false"
        raise bad_input(where, problem, "bad_filter_value")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        declared = self.target.type
        if self.within is not None:
            _check_span(self)
        if self.operator.takes_value and self.value is None:
            raise several("Filter", [Fault(("value",), "is required", "missing_key")])
        types = (declared,) if declared else _custom_types(self.value)
        for type_ in types:
            if self.operator in operators_of(self.target, type_):
                if self.value is None:
                    return self
                _check_value(self.value, type_, f"{self.field} {self.operator}")
                return self
        known = [each for type_ in types for each in operators_of(self.target, type_)]
        allowed = ", ".join(dict.fromkeys(known))
        problem = f"operator {self.operator} is not one of a {types[0]}'s; allowed are {allowed}"
        raise bad_input(self.field, problem, "bad_operator")

    # In Python True equals 1; a cache keyed by filters must tell them apart.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, Operator, bool, Value | None, timedelta | None]:
        is_boolean = isinstance(self.value, bool)
        return self.field, self.operator, is_boolean, self.value, self.within


def date_bound(value: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the instant that a date filter compares with when it is evaluated at ``now``."""
    bound = parse_date_value(value, zone)
    return now + bound.offset if isinstance(bound, RelativeInstant) else bound


def _check_span(item: Filter) -> None:
    where = f"{item.field} {item.operator}"
    if item.target.entity is not Entity.EVENT or not item.operator.takes_value:
        problem = "counts nothing within a span; `within` is allowed where event:NAME is counted"
        raise bad_input(where, problem, "bad_filter_value")
    if not item.within:
        problem = "a span of 0 holds nothing; allowed is a longer one, such as 30d"
        raise bad_input(f"{where} within", problem, "bad_duration")


def _check_nothing(value: object, where: str) -> None:
    if value is not None:
        problem = f"takes no value, and {shown(value)} was given; allowed is no `value`"
        raise bad_input(where, problem, "bad_filter_value")


def _type_of(value: Value | None) -> FieldType:
    if isinstance(value, bool):
        return FieldType.BOOLEAN
    return FieldType.STRING if isinstance(value, str) else FieldType.NUMBER


def _custom_types(value: Value | None) -> tuple[FieldType, ...]:
    # JSON has no dates: text takes a string's operators, and a date's with a date in it.
    type_ = _type_of(value)
    return (type_, FieldType.DATE) if type_ is FieldType.STRING else (type_,)


def _check_value(value: Value, wanted: FieldType, where: str) -> None:
    if wanted is FieldType.DATE:
        parse_date_value(value, ZoneInfo("UTC"), where)
    elif _type_of(value) is not wanted:
        problem = f"{shown(value)} has another type; allowed is {_WANTED[wanted]}"
        raise bad_input(where, problem, "bad_filter_value")
    elif isinstance(value, str):
        check_text(value, where)
    elif not isinstance(value, bool):
        check_number(value, where)

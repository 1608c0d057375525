"""Filters: ``{field, operator, value}``, in AND groups joined by OR, and the presets (§3, §22)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Final, Self, TypeVar
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

from halo_engine.domain.errors import (
    Fault,
    bad_input,
    examined,
    in_its_place,
    several,
    shown,
)
from halo_engine.domain.fields.catalogue import Entity, Field, FieldType, depends_on, resolve
from halo_engine.domain.reasons import WithWords
from halo_engine.domain.times.durations import format_duration, parse_duration
from halo_engine.domain.times.instants import RelativeInstant, parse_date_value
from halo_engine.domain.values import check_number, check_text, read_back

Value = bool | int | float | str
_Item = TypeVar("_Item", bound=BaseModel)


class Operator(WithWords):
    """What a filter does with its value (contract §3).

    ``words`` complete "the filter holds if the value is".
    """

    IS = "is", "equal, exactly"
    IS_NOT = "is_not", "there, and not equal"
    CONTAINS = "contains", "text that has the value in it, in upper or lower case"
    GT = "gt", "greater"
    LT = "lt", "less"
    GTE = "gte", "greater or equal"
    LTE = "lte", "less or equal"
    BEFORE = "before", "strictly before the date"
    AFTER = "after", "at or after the date"
    IS_SET = "is_set", "there; takes no value"
    IS_EMPTY = "is_empty", "missing, of another type, or blank text; takes no value"

    @property
    def takes_value(self) -> bool:
        """Whether it compares with a value; the others ask whether there is one (contract §22)."""
        return self not in EMPTINESS


#: Of every type: whether there is a value at all.
EMPTINESS: Final = (Operator.IS_SET, Operator.IS_EMPTY)

_SIZES: Final = (Operator.IS, Operator.GT, Operator.LT, Operator.GTE, Operator.LTE)
#: The operators that each type has, in the order of the contract.
OPERATORS: Final = MappingProxyType(
    {
        FieldType.STRING: (Operator.IS, Operator.IS_NOT, Operator.CONTAINS, *EMPTINESS),
        FieldType.NUMBER: (*_SIZES, *EMPTINESS),
        FieldType.BOOLEAN: (Operator.IS, *EMPTINESS),
        FieldType.DATE: (Operator.BEFORE, Operator.AFTER, *EMPTINESS),
    }
)

#: The operators of ``list:KEY`` and ``series:KEY``, which are never missing.
_OF_MEMBERSHIP: Final = (Operator.IS, Operator.IS_NOT)


def operators_of(target: Field, type_: FieldType) -> tuple[Operator, ...]:
    """Return the operators of a field that is compared as ``type_``."""
    is_membership = target.entity in (Entity.LIST, Entity.SERIES)
    return _OF_MEMBERSHIP if is_membership else OPERATORS[type_]


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


def parse_groups(data: object, where: str) -> tuple[tuple[Filter, ...], ...]:
    """Return the AND groups that ``data`` writes; a flat list of filters is one group.

    ``[]`` is no filter, an empty group is refused; ``where`` names the setting in the 400's path.
    """
    groups, faults = read_groups(data, _form)
    if faults:
        raise faults[0].refusal(where)
    return groups


def _form(_item: object) -> type[Filter]:
    return Filter


def _parse_field(data: object) -> tuple[tuple[Filter, ...], ...]:
    groups, faults = read_groups(data, _form)
    if faults:
        raise several("filters", faults)
    return groups


#: AND groups joined by OR; as a field of a model it takes every form that may be written.
FilterGroups = Annotated[tuple[tuple[Filter, ...], ...], BeforeValidator(_parse_field)]


def filter_keys(groups: FilterGroups) -> frozenset[str]:
    """Return the keys whose changes can change whether the filters hold (see ``depends_on``)."""
    return frozenset(key for group in groups for item in group for key in depends_on(item.target))


def dump_groups(groups: Sequence[Sequence[BaseModel]]) -> list[list[dict[str, Any]]]:
    """Return the filters as JSON-ready data, as they can be read again."""
    return [[item.model_dump(mode="json") for item in group] for group in groups]


def date_bound(value: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the instant that a date filter compares with when it is evaluated at ``now``."""
    bound = parse_date_value(value, zone)
    return now + bound.offset if isinstance(bound, RelativeInstant) else bound


def read_groups(
    data: object, form: Callable[[object], type[_Item]]
) -> tuple[tuple[tuple[_Item, ...], ...], list[Fault]]:
    """Read AND groups of items, a flat list as one group; return the valid items, every fault.

    ``form`` returns the model of what is written as one item.
    """
    if not isinstance(data, list | tuple):
        return (), [Fault((), f"{shown(data)} is not a list of filters", "bad_filters")]
    if data and not any(isinstance(group, list | tuple) for group in data):
        group, faults = _read_group(data, form)
        return (group,), faults
    groups, wrong = [], []
    for index, each in enumerate(data):
        group, faults = _read_group(each, form)
        groups.append(group)
        wrong += [fault.below(index) for fault in faults]
    return tuple(groups), wrong


def _read_group(
    data: object, form: Callable[[object], type[_Item]]
) -> tuple[tuple[_Item, ...], list[Fault]]:
    if not isinstance(data, list | tuple):
        problem = "is not a group; allowed are one list of filters, or a list of groups"
        return (), [Fault((), problem, "bad_filters")]
    if not data:
        return (), [Fault((), "a group holds at least one filter", "empty_group")]
    group: list[_Item] = []
    wrong: list[Fault] = []
    for index, item in enumerate(data):
        model = form(item)
        read, faults = (item, ()) if isinstance(item, model) else examined(model, item)
        group += [read] if read else []
        wrong += [fault.below(index) for fault in faults]
    return tuple(group), wrong


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


def _preset(field: str, operator: Operator, value: str) -> Filter:
    return Filter(field=field, operator=operator, value=value)


#: The one-click filters of the audience builder, by label.
PRESETS: Final[Mapping[str, Filter]] = MappingProxyType(
    {
        "On trial": _preset("stripe:subscription_status", Operator.IS, "trialing"),
        "Active subscribers": _preset("stripe:subscription_status", Operator.IS, "active"),
        "Past due": _preset("stripe:subscription_status", Operator.IS, "past_due"),
        "Set to cancel": _preset("renewal_status", Operator.IS, "set_to_cancel"),
        "From SDK": _preset("source", Operator.IS, "sdk"),
        "Signed up in 30 days": _preset("signed_up_at", Operator.AFTER, "-30d"),
        "Inactive 30 days+": _preset("last_seen", Operator.BEFORE, "-30d"),
    }
)


def preset_filter(label: str) -> Filter:
    """Return the filter that a preset adds; an unknown one is a 400 that names those there are."""
    preset = PRESETS.get(label)
    if preset is None:
        problem = f"{shown(label)} is unknown; allowed are {', '.join(PRESETS)}"
        raise bad_input("preset", problem, "unknown_preset")
    return preset

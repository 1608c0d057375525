"""The operators of filters, and which of them each type has (contract §3)."""

from types import MappingProxyType
from typing import Final

from halo_engine.domain.fields.catalogue import Entity, Field, FieldType
from halo_engine.domain.reasons import WithWords


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

"""Say what is allowed where data does not fit a model: Pydantic's errors in our words.

Users never see the library's own words (``Input should be …``).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

#: By Pydantic's type of error; the error's context fills the braces.
ALLOWED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bool_parsing": "are true and false",
        "bool_type": "are true and false",
        "bytes_type": "is text",
        "date_parsing": "is a date such as 2026-05-27",
        "date_type": "is a date such as 2026-05-27",
        "datetime_parsing": "is an instant such as 2026-05-27T09:00:00Z",
        "datetime_type": "is an instant such as 2026-05-27T09:00:00Z",
        "decimal_parsing": "is a number",
        "decimal_type": "is a number",
        "dict_type": "is an object",
        "enum": "are {expected}",
        "finite_number": "is a finite number",
        "float_parsing": "is a number",
        "float_type": "is a number",
        "frozen_set_type": "is a list",
        "greater_than": "is more than {gt}",
        "greater_than_equal": "is {ge} or more",
        "int_from_float": "is a whole number",
        "int_parsing": "is a whole number",
        "int_parsing_size": "is a whole number of at most 64 bits",
        "int_type": "is a whole number",
        "iterable_type": "is a list",
        "less_than": "is less than {lt}",
        "less_than_equal": "is {le} or less",
        "list_type": "is a list",
        "literal_error": "are {expected}",
        "mapping_type": "is an object",
        "multiple_of": "is a multiple of {multiple_of}",
        "none_required": "is null",
        "set_type": "is a list",
        "string_pattern_mismatch": "is text of the form {pattern}",
        "string_too_long": "is text of {max_length} or fewer characters",
        "string_too_short": "is text of {min_length} or more characters",
        "string_type": "is text",
        "string_unicode": "is text without lone surrogates",
        "time_delta_parsing": "is a duration such as 30m, 2h or 3d",
        "time_delta_type": "is a duration such as 30m, 2h or 3d",
        "time_parsing": "is a time such as 09:00",
        "time_type": "is a time such as 09:00",
        "too_long": "are {max_length} or fewer entries",
        "too_short": "are {min_length} or more entries",
        "tuple_type": "is a list",
        "uuid_parsing": "is a UUID",
        "uuid_type": "is a UUID",
    }
)

_QUOTED: Final = re.compile(r"'([^']*)'")


def what_is_allowed(kind: str, context: Mapping[str, Any]) -> str:
    """Return ``; allowed …`` for Pydantic's error type ``kind``.

    ``context`` is the error's own: limits, or the possible choices.
    """
    if kind not in ALLOWED:
        return "; allowed is what `halo schema` shows"
    known = dict(context)
    if choices := _QUOTED.findall(str(known.get("expected", ""))):
        known["expected"] = ", ".join(choices)
    return f"; allowed {ALLOWED[kind].format_map(known)}"

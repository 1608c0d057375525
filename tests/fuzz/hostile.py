"""Values that have broken something somewhere, and ways of putting them into calls."""

import math
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

#: Text that databases, parsers, spreadsheets and people stumble over.
TEXTS: Final = (
    "",
    " ",
    "\t\n",
    "\0",
    "a\0b",
    "\ud800",
    "a\udfffb",
    "\U0010ffff",
    "\ufeff",
    "\u202eabc",
    "e\u0301\u0301\u0301",
    "İSTANBUL",
    "ß",
    "'; DROP TABLE end_users; --",
    "%s %(given_rows)s :given_rows $1 ?",
    "{{ name|fallback }}",
    "\\u0000",
    '"}, "org_id": "',
    "null",
    "NaN",
    "1e400",
    "=HYPERLINK(1)",
    "@SUM(A1)",
    "+1",
    "-1",
    "\t=1",
    "<script>alert(1)</script>",
    "x" * 255,
    "x" * 256,
    "é" * 10_001,
    "x" * 20_001,
)
DATES: Final = (
    "now",
    "tomorrow",
    "infinity",
    "-infinity",
    "epoch",
    "2026-02-30",
    "2026-06-01T25:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0000-00-00",
    "10000-01-01",
    "2026-06-01T00:00:00+99:99",
    "2026-W23-1",
    "1748304000",
    "2026-06-01T09:00:00.1234567890123Z",
)
EMAILS: Final = (
    "nowhere",
    "@",
    "a@b@c.example",
    "a@b.example\0",
    " a@b.example",
    "a@b.example\nBcc: c@d.example",
    "=cmd@x.example",
    "ü@exämple.example",
    f"{'a' * 65}@b.example",
    f"a@{'b' * 64}.example",
    "a@[127.0.0.1]",
    "İ@b.example",
)
NUMBERS: Final = (
    0,
    -1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**400,
    1.5,
    -0.0,
    1e308,
    5e-324,
    math.nan,
    math.inf,
    -math.inf,
)
#: Names of custom fields, and keys of calls.
NAMES: Final = (
    *TEXTS,
    "id",
    "org_id",
    "external_id",
    "created_at",
    "customer_for",
    "custom_fields",
    "stripe_customer_id",
    "custom:plan",
    "stripe:plan",
    "event:paid",
    "company.name",
    "__proto__",
    "$where",
    "a.b[0]",
    "*",
)


def nested(levels: int) -> Any:
    """Return an object of that depth."""
    value: Any = "deepest"
    for level in range(levels):
        value = {"deeper": value} if level % 2 else [value]
    return {"deep": value}


#: Made once: they are large.
DOCUMENTS: Final[tuple[Any, ...]] = (
    {},
    [],
    nested(30),
    nested(31),
    nested(32),
    nested(10_000),
    {f"key {n}": n for n in range(2_000)},
    list(range(10_000)),
    {"list": [None, True, {"a": [1.5, "x"]}]},
    {1: "no text"},
    {"\ud800": 1},
    {"a": math.nan},
)
#: What JSON cannot say, but a caller in Python can.
FOREIGN: Final = (b"bytes", (1, 2), {1}, object(), Decimal("1.5"), date(2026, 6, 1), 1j)

_KINDS: Final[tuple[tuple[Any, ...], ...]] = (
    TEXTS,
    TEXTS,
    DATES,
    EMAILS,
    NUMBERS,
    NUMBERS,
    DOCUMENTS,
    FOREIGN,
    (None, True, False),
)


def hostile_value(random: Random) -> Any:
    """Return a value of any kind."""
    return random.choice(random.choice(_KINDS))


def spoiled(random: Random, call: Mapping[str, Any]) -> Any:
    """Return a call after one to three things were done to it; it may still be a good one."""
    if random.random() < 0.03:
        return hostile_value(random)
    result = dict(call)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(_WAYS)(random, result)
    return result


def _replace(random: Random, call: dict[Any, Any]) -> None:
    if call:
        call[random.choice(list(call))] = hostile_value(random)


def _drop(random: Random, call: dict[Any, Any]) -> None:
    if call:
        del call[random.choice(list(call))]


def _add(random: Random, call: dict[Any, Any]) -> None:
    call[random.choice(NAMES)] = hostile_value(random)


def _spoil_inside(random: Random, call: dict[Any, Any]) -> None:
    """Put something into an object that the call carries: its traits, context or properties."""
    objects = [name for name, value in call.items() if isinstance(value, dict)]
    if objects:
        name = random.choice(objects)
        inside = dict(call[name])
        random.choice((_replace, _add, _add))(random, inside)
        call[name] = inside


_WAYS: Final[tuple[Callable[[Random, dict[Any, Any]], None], ...]] = (
    _replace,
    _replace,
    _drop,
    _add,
    _spoil_inside,
    _spoil_inside,
    _spoil_inside,
)

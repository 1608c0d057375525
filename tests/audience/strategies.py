"""Generated contacts, and filters that are aimed at what they hold.

Filters drawn on their own would hardly ever meet a value; so most are made from a stored one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.audience.evaluator import Clock, Person
from tests.contacts.sandbox import EARLIER

Filter = dict[str, Any]
Scene = tuple[list[Person], list[Filter], Clock]

LETTERS = "aAkK\N{KELVIN SIGN}sS\u017fß\u1e9eäÄåÅ\u212b\u03c3ςΣiIİ\u0131я Я%_\\'\"e\u0301\n5.🙂"
WORDS = (
    "",
    " ",
    "\u3000\t",
    "[]",
    "pro",
    "Pro",
    "true",
    "5",
    "5.0",
    "null",
    "straße",
    "STRASSE",
    "100%_",
    "-30d",
    "now",
)
DATES = (
    "2026-03-29",
    "2026-03-29T02:00",
    "2026-03-29T02:30:00",
    "2026-03-29T03:00:00.000001",
    "2026-03-29T01:00:00Z",
    "2026-10-25T02:30:00",
    "2026-10-25T02:59:59,999999",
    "2026-10-25T03:00",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00.5Z",
    "2026-10-25T02:30:00+02",
    "2026-10-25T02:30:00+0100",
    "2026-10-25 02:30:00",
    "2026-10-25 02:30:00.25+01",
    "2011-12-30T12:00",
    "2024-02-29",
)
# Dates too near to the ends of the calendar for a filter's value, and text that is no date.
STORED_ONLY = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-12:00",
    "0000-01-01",
    "infinity",
    "2026-02-29",
    "2026-04-31T00:00",
    "2026-3-29",
    "2026-03-29 02:30",
    "٢٠٢٦-01-01",
)
NUMBERS = (0, -0.0, 5, 5.0, 5.000000000000001, 0.1, 0.30000000000000004, -1, 2**53 + 1)
HUGE = (2**63 - 1, -(2**63), 9.223372036854776e18, 1e308, 5e-324, 123456789.123456789)
KEYS = ("role", "k", 'a."b\\')
EVENTS = ("paid", "seen it")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe")

words = st.sampled_from(WORDS) | st.text(LETTERS, max_size=5)
instants = st.sampled_from(
    [datetime.fromisoformat(text) for text in DATES if text.endswith("Z")]
) | st.datetimes(
    datetime.fromisoformat("2026-03-28"),
    datetime.fromisoformat("2026-03-30"),
    timezones=st.just(UTC),
)
dates = st.sampled_from(DATES) | instants.map(lambda at: at.replace(tzinfo=None).isoformat())
numbers = st.sampled_from(NUMBERS + HUGE)
customs = st.fixed_dictionaries(
    {},
    optional={
        key: st.one_of(
            words,
            dates,
            numbers,
            st.booleans(),
            st.sampled_from(STORED_ONLY),
            st.sampled_from((None, ["pro"], [5], {"k": "pro"}, [], {}, [[]])),
        )
        for key in KEYS
    },
)
clocks = st.builds(Clock, instants, st.sampled_from(ZONES))

#: The columns that are drawn, and what of.
ACCOUNT = {
    "name": st.none() | words,
    "signed_up_at": st.none() | instants,
    "mrr": st.none() | numbers,
    "on_contract": st.none() | st.booleans(),
    "contract_term": st.sampled_from((None, "annual", "monthly")),
}
CONTACT = {
    **ACCOUNT,
    "email": st.none() | words,
    "last_seen": instants,
    "stripe:plan": st.none() | words,
    "stripe:trial_end": st.none() | instants,
    "stripe:cancel_at_period_end": st.none() | st.booleans(),
}
FIELDS = {
    "string": ("name", "email", "contact_type", "lead:name", "company.name", "stripe:plan"),
    "number": ("mrr", "lead:mrr", "company.mrr", *(f"event:{name}" for name in EVENTS)),
    "boolean": ("on_contract", "company.on_contract", "stripe:cancel_at_period_end"),
    "date": ("signed_up_at", "last_seen", "created_at", "company.signed_up_at", "lead:last_seen"),
}
OPERATORS = {
    "string": ("is", "is_not", "contains"),
    "number": ("is", "gt", "lt", "gte", "lte"),
    "boolean": ("is",),
    "date": ("before", "after"),
}
EMPTINESS = ("is_set", "is_empty")
CUSTOM = tuple(f"{of}custom:{key}" for of in ("", "lead:", "company.") for key in KEYS)
any_field = st.sampled_from((*(name for names in FIELDS.values() for name in names), *CUSTOM))
#: Some of these events are exactly as long ago as some of these spans are long.
ago = st.sampled_from(["1m", "90m", "1d", "30d"])
counting = st.fixed_dictionaries(
    {
        "field": st.sampled_from([f"event:{name}" for name in EVENTS]),
        "operator": st.sampled_from(("is", "gt", "lt", "gte", "lte")),
        "value": st.integers(0, 3),
        "within": ago,
    }
)
VALUES = {
    "string": words,
    "number": numbers,
    "boolean": st.booleans(),
    "date": dates | st.sampled_from(("-1d", "+1h", "-90m", "+0m")),
}


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Draw contacts, filters that are mostly about them, and when and where these are asked."""
    accounts = st.fixed_dictionaries({}, optional=ACCOUNT)
    clock = draw(clocks)
    companies = [Person({**draw(accounts), "created_at": EARLIER}, draw(customs)) for _ in "ab"]
    people = draw(st.lists(contacts(companies, clock), min_size=1, max_size=5, unique_by=_address))
    held = [each for person in people for each in _held(person)]
    return people, draw(st.lists(filters(held), min_size=8, max_size=24)), clock


@st.composite
def contacts(draw: st.DrawFn, companies: list[Person], clock: Clock) -> Person:
    """Draw a contact, a user or a lead, of one of the companies or of none."""
    external_id = draw(st.none() | st.uuids().map(str))
    columns = {
        "last_seen": EARLIER,
        **draw(st.fixed_dictionaries({}, optional=CONTACT)),
        "created_at": EARLIER,
        "external_id": external_id,
        "contact_type": "lead" if external_id is None else "user",
    }
    fired = draw(st.dictionaries(st.sampled_from(EVENTS), st.integers(1, 6)))
    at = st.builds(_before, st.just(clock.now), ago, st.sampled_from((-1, 0, 1)))
    kept = draw(st.dictionaries(st.sampled_from(EVENTS), st.lists(at, max_size=3).map(tuple)))
    return Person(columns, draw(customs), fired, draw(st.sampled_from((None, *companies))), kept)


@st.composite
def filters(draw: st.DrawFn, held: list[tuple[str, Any]]) -> Filter:
    """Draw a filter that a series may hold."""
    if not draw(st.integers(0, 5)):
        return {"field": draw(any_field), "operator": draw(st.sampled_from(EMPTINESS))}
    if not draw(st.integers(0, 5)):
        return draw(counting)
    if draw(st.integers(0, 3)):
        field, stored = draw(st.sampled_from(held))
        return draw(_aimed(field, stored))
    type_ = draw(st.sampled_from(tuple(FIELDS)))
    custom = st.sampled_from(KEYS).map(lambda key: f"custom:{key}")
    return {
        "field": draw(st.sampled_from(FIELDS[type_]) | custom),
        "operator": draw(st.sampled_from(OPERATORS[type_])),
        "value": draw(VALUES[type_]),
    }


@st.composite
def _aimed(draw: st.DrawFn, field: str, stored: Any) -> Filter:
    """Draw a filter whose value is often the stored one, or one like it."""
    type_, near = draw(st.sampled_from(_aims(field, stored)))
    return {
        "field": field,
        "operator": draw(st.sampled_from(OPERATORS[type_])),
        "value": draw(st.sampled_from(near) | VALUES[type_]),
    }


def _aims(field: str, stored: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the types of the filters that the field takes, with values near to the stored one."""
    match stored:
        case datetime():
            return [("date", (stored.isoformat(),))]
        case bool():
            return [("boolean", (stored, not stored))]
        case int() | float():
            return [("number", (stored, stored + 1 if abs(stored) < 9 else 0))]
        case str():
            text = ("string", (stored, stored.swapcase(), stored[1:3].upper()))
            date = ("date", (stored,) if stored in DATES else DATES)
            return [text, date] if "custom:" in field else [text]
    return [("string", ("pro", "")), ("number", (5,)), ("date", DATES)]


def _held(person: Person) -> Iterator[tuple[str, Any]]:
    """Yield what can be compared: fields and their stored values."""
    for name, value in person.columns.items():
        if value is not None and name != "external_id":
            yield name, value
    for key, value in person.custom.items():
        yield f"custom:{key}", value
        yield f"lead:custom:{key}", value
    for name, times in person.events.items():
        yield f"event:{name}", times
    if person.company:
        yield from (
            (f"company.{name}", value)
            for name, value in _held(person.company)
            if name[:5] != "lead:"
        )


def _before(now: datetime, ago: str, microseconds: int) -> datetime:
    length = timedelta(**{{"m": "minutes", "d": "days"}[ago[-1]]: int(ago[:-1])})
    return now - length + timedelta(microseconds=microseconds)


def _address(person: Person) -> object:
    """Return what no two leads may share."""
    email = person.columns.get("email")
    is_lead = person.columns["external_id"] is None
    return email.casefold() if is_lead and email is not None else object()

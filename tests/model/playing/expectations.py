"""Compares what a scenario expects with what the model answers (scenarios.md)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.clock import parse_instant
from tests.model.language.refusals import RefusedError
from tests.model.runs import Mail
from tests.model.world import World

Check = Callable[[World, Any], Iterator[str]]


def same(actual: Any, expected: Any) -> bool:
    """Say whether an answer is what a scenario wrote; an instant may be written in any zone."""
    if isinstance(actual, datetime) and isinstance(expected, str):
        try:
            return actual == parse_instant(expected, ZoneInfo("UTC"))
        except ValueError:
            return False
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)


def _differs(what: str, actual: Any, expected: Any) -> Iterator[str]:
    if not same(actual, expected):
        yield f"{what}: is {actual}, expected {expected}"


def _by_series(query: str, *, free_order: bool = False) -> Check:
    def check(world: World, expected: Any) -> Iterator[str]:
        for key, value in expected.items():
            actual = getattr(world, query)(key)
            wanted = sorted(value) if free_order else value
            seen = sorted(actual) if free_order else actual
            yield from _differs(f"{query} {key}", seen, wanted)

    return check


def _recipients(world: World, expected: Any) -> Iterator[str]:
    for key, rows in expected.items():
        left = world.recipients(key)
        for row in rows:
            fits = [each for each in left if all(same(each[k], row[k]) for k in row)]
            if fits:
                left.remove(fits[0])
            else:
                yield f"recipients {key}: no row {row}"
        yield from (f"recipients {key}: also {row}" for row in left)


def _explain(world: World, expected: Any) -> Iterator[str]:
    for key, codes in expected.items():
        for contact, code in codes.items():
            actual = world.explain(contact, key)
            yield from _differs(f"explain {key} {contact}", actual, code)


def _diagnose(world: World, expected: Any) -> Iterator[str]:
    for key, value in expected.items():
        actual = world.diagnose(key)
        if "matched" in value:
            yield from _differs(f"diagnose {key} matched", actual["matched"], value["matched"])
        for filter_, wanted in zip(actual["filters"], value.get("filters", []), strict=False):
            seen = {name: filter_[name] for name in wanted}
            yield from _differs(f"diagnose {key}", seen, wanted)
        missing = len(value.get("filters", [])) - len(actual["filters"])
        if missing > 0:
            yield f"diagnose {key}: {missing} filters too few"


def _contact(world: World, expected: Any) -> Iterator[str]:
    for name, values in expected.items():
        actual = world.contact_values(name)
        if actual is None or values is None:
            yield from _differs(f"contact {name}", actual, values)
            continue
        for key, value in values.items():
            yield from _differs(f"contact {name} {key}", actual.get(key), value)


def _last_seen(world: World, expected: Any) -> Iterator[str]:
    for name, instant in expected.items():
        yield from _differs(f"last_seen {name}", world.last_seen(name), instant)


def _fields(world: World, expected: Any) -> Iterator[str]:
    missing = sorted(set(expected) - set(world.fields()))
    if missing:
        yield f"fields: {missing} are not registered"


def _mail_differs(mail: Mail, wanted: Any) -> Iterator[str]:
    for key in ("to", "subject"):
        if key in wanted:
            yield from _differs(f"mail {key}", getattr(mail, key), wanted[key])
    for part in wanted.get("contains", []):
        if part not in mail.body:
            yield f"mail {mail.subject!r}: {part!r} is not in {mail.body!r}"
    for name, part in wanted.get("headers", {}).items():
        if part not in mail.headers.get(name, ""):
            yield f"mail {mail.subject!r}: {name} is {mail.headers.get(name)!r}"


def _mail(world: World, expected: Any) -> Iterator[str]:
    actual = world.mail()
    yield from _differs("number of mails", len(actual), len(expected))
    for mail, wanted in zip(actual, expected, strict=False):
        yield from _mail_differs(mail, wanted)


def _plan(world: World, expected: Any) -> Iterator[str]:
    actual = world.last_plan.as_expected() if world.last_plan else {}
    for key, wanted in expected.items():
        if key == "exits":
            for reason, number in wanted.items():
                yield from _differs(f"plan exits {reason}", actual[key][reason], number)
        else:
            yield from _differs(f"plan {key}", actual[key], wanted)


CHECKS: dict[str, Check] = {
    "status": _by_series("status"),
    "matched": _by_series("matched"),
    "enrolled": _by_series("enrolled"),
    "versions": _by_series("versions"),
    "enrollments": _by_series("enrollments"),
    "active": _by_series("active", free_order=True),
    "held": _by_series("held"),
    "surge_at_most": _by_series("surge_at_most"),
    "sent": _by_series("sent"),
    "recipients": _recipients,
    "exited": _by_series("exited"),
    "converted": _by_series("converted", free_order=True),
    "explain": _explain,
    "ledger": _by_series("ledger"),
    "diagnose": _diagnose,
    "preflight": _by_series("preflight"),
    "plan": _plan,
    "contact": _contact,
    "last_seen": _last_seen,
    "fields": _fields,
    "mail": _mail,
}


def differences(world: World, expected: dict[str, Any], answer: Any) -> Iterator[str]:
    """Yield a line for each expectation that does not hold; only what is named is checked.

    `answer` is that of the last action.
    """
    for key, value in expected.items():
        if key == "answer":
            seen = {name: (answer or {}).get(name) for name in value}
            yield from _differs("answer", seen, value)
        elif key in CHECKS:
            try:
                yield from CHECKS[key](world, value)
            except RefusedError as refusal:
                yield f"{key}: {refusal}"
        else:
            yield f"unknown expectation {key}"

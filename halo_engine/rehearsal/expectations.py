"""Compares a scenario's expectations with the database; one line for each difference."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from halo_engine.answers.plans.fate_names import FateName
from halo_engine.domain.errors import Refusal, shown
from halo_engine.domain.series.definition import Series
from halo_engine.domain.times.instants import parse_instant
from halo_engine.rehearsal import observations
from halo_engine.rehearsal.expected import (
    Expectation,
    ExpectedDiagnosis,
    ExpectedMail,
    ExpectedPlan,
)
from halo_engine.rehearsal.names import as_observed, observed_names
from halo_engine.rehearsal.pairing import paired
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.work import Work

_CONTACT_KEYS: Final = "columns, custom:NAME and context:KEY"

Check = Callable[[Sandbox, Any], Iterator[str]]


def differences(sandbox: Sandbox, expected: Expectation) -> list[str]:
    """Return a line for each difference; only what the scenario names is compared."""
    return sandbox.look(lambda: _differences(sandbox, expected))


def _differences(sandbox: Sandbox, expected: Expectation) -> list[str]:
    found: list[str] = []
    names = observed_names(sandbox, expected)
    for name in Expectation.model_fields:
        if name not in expected.model_fields_set:
            continue
        try:
            wanted = as_observed(names, name, getattr(expected, name))
            found += _CHECKS[name](sandbox, wanted)
        except Refusal as refusal:
            found.append(f"{name}: {refusal}")
    return found


def same(actual: Any, expected: Any) -> bool:
    """Return whether the values are equal; an instant may be written in any zone.

    Without an offset it is on the clock of the actual one, the organisation's.
    """
    if isinstance(actual, datetime):
        zone = cast(ZoneInfo, actual.tzinfo)
        # In UTC: Python takes an instant that a zone's clock shows twice for unlike any other.
        return isinstance(expected, str) and actual.astimezone(UTC) == parse_instant(expected, zone)
    if isinstance(actual, Decimal):
        actual = float(actual)
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)


def _differs(what: str, actual: Any, expected: Any) -> Iterator[str]:
    if not same(actual, expected):
        yield f"{what}: expected {_shown(expected)}, but it is {_shown(actual)}"


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _by_series(observe: Callable[[Work, Series], Any], name: str, *, ordered: bool = True) -> Check:
    def check(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
        for key, wanted in expected.items():
            actual = sandbox.observe_series(observe, key)
            what = f"{name} of {key}"
            if ordered:
                yield from _differs(what, actual, wanted)
            else:
                yield from _differs(what, sorted(actual), sorted(wanted))

    return check


def _answer(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
    given = sandbox.answer or {}
    for key, wanted in expected.items():
        if key in given:
            yield from _differs(f"answer {key}", given[key], wanted)
        else:
            yield f"answer: {shown(key)} is no key of it; it has {', '.join(given) or 'none'}"


def _sent(sandbox: Sandbox, expected: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    """Compare what was sent; a contact with no steps is one that got none."""
    for key, wanted in expected.items():
        some = {contact: steps for contact, steps in wanted.items() if steps}
        yield from _differs(f"sent of {key}", sandbox.observe_series(observations.sent, key), some)


def _recipients(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, rows in expected.items():
        unknown = {name for wanted in rows for name in wanted} - set(observations.RECIPIENT_KEYS)
        if unknown:
            allowed = ", ".join(observations.RECIPIENT_KEYS)
            yield f"recipients of {key}: unknown key {min(unknown)}; allowed are {allowed}"
            continue
        found = sandbox.observe_series(observations.recipients, key)
        fitting = [
            [place for place, row in enumerate(found) if _fits(row, wanted)] for wanted in rows
        ]
        pairs = paired(fitting)
        for place, wanted in enumerate(rows):
            if place not in pairs:
                yield f"recipients of {key}: there is no row {wanted}"
        for place, row in enumerate(found):
            if place not in pairs.values():
                shown = ", ".join(f"{name} {_shown(value)}" for name, value in row.items())
                yield f"recipients of {key}: there is also a row with {shown}"


def _fits(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(same(row[name], value) for name, value in wanted.items())


def _exited(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in expected.items():
        actual = sandbox.observe_series(observations.exited, key)
        for contact, reason in wanted.items():
            yield from _differs(f"exited of {key} for {contact}", actual.get(contact), reason)


def _explain(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in expected.items():
        codes = sandbox.observe_series(observations.explanations, key, list(wanted))
        for contact, code in wanted.items():
            yield from _differs(f"explain of {key} for {contact}", codes[contact], code)


def _diagnose(sandbox: Sandbox, expected: Mapping[str, ExpectedDiagnosis]) -> Iterator[str]:
    for key, diagnosis in expected.items():
        wanted = diagnosis.model_dump(exclude_unset=True)
        actual = sandbox.observe_series(observations.diagnosis, key)
        if "matched" in wanted:
            yield from _differs(f"diagnose of {key}, matched", actual["matched"], wanted["matched"])
        filters = wanted.get("filters", [])
        if len(filters) > len(actual["filters"]):
            yield f"diagnose of {key}: there are only {len(actual['filters'])} filters"
        for seen, filter_ in zip(actual["filters"], filters, strict=False):
            for name, value in filter_.items():
                what = f"diagnose of {key}, {seen['field']}, {name}"
                yield from _differs(what, seen[name], value)


def _plan(sandbox: Sandbox, expected: ExpectedPlan) -> Iterator[str]:
    found = sandbox.plan
    if found is None:
        yield "plan: there was none"
        return
    outside = found.outside
    counts = {each.fate: each for each in found.fates}
    exits = Counter[str]()
    for part in counts[FateName.EXITS].parts if FateName.EXITS in counts else ():
        exits[part.exit_reason or ""] += part.contacts
    for name, wanted in expected.model_dump(exclude_unset=True).items():
        match name:
            case "exits":
                for reason, number in wanted.items():
                    yield from _differs(f"plan, exits by {reason}", exits[reason], number)
            case "matched":
                seen = (outside.matched_before, outside.matched_after)
                yield from _differs("plan, matched", seen, wanted)
            case "would_enter":
                yield from _differs("plan, would_enter", outside.would_enter, wanted)
            case _:
                fate = counts.get(FateName(name))
                yield from _differs(f"plan, {name}", fate.contacts if fate else 0, wanted)


def _contact(sandbox: Sandbox, expected: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in expected.items():
        actual = sandbox.observe(observations.contact_values, name)
        if wanted is None or actual is None:
            if wanted is not actual:
                state = "there is one" if actual else "there is none"
                yield f"contact {name}: {state}"
            continue
        for key, value in wanted.items():
            if key in actual or key.startswith(("custom:", "context:")):
                yield from _differs(f"contact {name}, {key}", actual.get(key), value)
            else:
                yield f"contact {name}: {shown(key)} is no column; allowed are {_CONTACT_KEYS}"


def _last_seen(sandbox: Sandbox, expected: Mapping[str, str]) -> Iterator[str]:
    for name, wanted in expected.items():
        actual = sandbox.observe(observations.contact_values, name) or {}
        yield from _differs(f"last_seen of {name}", actual.get("last_seen"), wanted)


def _fields(sandbox: Sandbox, expected: list[str]) -> Iterator[str]:
    registered = sandbox.observe(observations.registered_fields)
    for name in expected:
        if name not in registered:
            yield f"fields: {name} is not registered"


def _mail(sandbox: Sandbox, expected: list[ExpectedMail]) -> Iterator[str]:
    sent = observations.mails(sandbox.transport.sent)
    if len(sent) != len(expected):
        yield f"mail: expected {len(expected)}, but {len(sent)} were sent"
    for number, (mail, expectation) in enumerate(zip(sent, expected, strict=False), 1):
        wanted = expectation.model_dump(exclude_unset=True)
        for key in ("to", "subject"):
            if key in wanted:
                yield from _differs(f"mail {number}, {key}", mail[key], wanted[key])
        for part in wanted.get("contains", []):
            if part not in mail["text"]:
                yield f"mail {number}: {part!r} is not in it"
        for header, part in wanted.get("headers", {}).items():
            if part not in mail["headers"].get(header, ""):
                yield f"mail {number}: header {header} is {mail['headers'].get(header)!r}"


_CHECKS: dict[str, Check] = {
    "answer": _answer,
    "status": _by_series(observations.status, "status"),
    "matched": _by_series(observations.matched, "matched"),
    "enrolled": _by_series(observations.enrolled, "enrolled"),
    "versions": _by_series(observations.versions, "versions"),
    "enrollments": _by_series(observations.enrollments, "enrollments"),
    "active": _by_series(observations.active, "active", ordered=False),
    "held": _by_series(observations.held, "held"),
    "surge_at_most": _by_series(observations.surge_at_most, "surge_at_most"),
    "sent": _sent,
    "recipients": _recipients,
    "exited": _exited,
    "converted": _by_series(observations.converted, "converted", ordered=False),
    "explain": _explain,
    "ledger": _by_series(observations.ledger_of, "ledger"),
    "diagnose": _diagnose,
    "preflight": _by_series(observations.preflight, "preflight"),
    "plan": _plan,
    "contact": _contact,
    "last_seen": _last_seen,
    "fields": _fields,
    "mail": _mail,
}

"""Compares what a scenario expects with the database; one line a difference."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from halo_engine.domain.errors import Refusal, shown
from halo_engine.domain.instants import parse_instant
from halo_engine.rehearsal import observations
from halo_engine.rehearsal.scenario import Expectation, ExpectedDiagnosis, ExpectedMail
from halo_engine.rehearsal.stage import Stage
from halo_engine.work import Work

_CONTACT_KEYS: Final = "columns, custom:NAME and context:KEY"

Check = Callable[[Stage, Any], Iterator[str]]


def differences(stage: Stage, expected: Expectation) -> list[str]:
    """Return a line for each difference; only what the scenario names is compared."""
    return stage.look(lambda: _differences(stage, expected))


def _differences(stage: Stage, expected: Expectation) -> list[str]:
    found: list[str] = []
    for name in Expectation.model_fields:
        if name not in expected.model_fields_set:
            continue
        try:
            found += _CHECKS[name](stage, getattr(expected, name))
        except Refusal as refusal:
            found.append(f"{name}: {refusal}")
    return found


def same(actual: Any, expected: Any) -> bool:
    """Return whether the values are equal; an instant may be written in any zone."""
    if isinstance(actual, datetime):
        return isinstance(expected, str) and actual == parse_instant(expected, observations.UTC)
    if isinstance(actual, Decimal):
        actual = float(actual)
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)


def _differs(what: str, actual: Any, expected: Any) -> Iterator[str]:
    if not same(actual, expected):
        yield f"{what}: expected {_shown(expected)}, but it is {_shown(actual)}"


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _by_series(observe: Callable[[Work, str], Any], name: str, *, ordered: bool = True) -> Check:
    def check(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
        for key, wanted in expected.items():
            actual = stage.observe(observe, key)
            what = f"{name} of {key}"
            if ordered:
                yield from _differs(what, actual, wanted)
            else:
                yield from _differs(what, sorted(actual), sorted(wanted))

    return check


def _answer(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
    given = stage.answer or {}
    for key, wanted in expected.items():
        if key in given:
            yield from _differs(f"answer {key}", given[key], wanted)
        else:
            yield f"answer: {shown(key)} is no key of it; it has {', '.join(given) or 'none'}"


def _recipients(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, rows in expected.items():
        left = stage.observe(observations.recipients, key)
        for wanted in rows:
            unknown = [name for name in wanted if name not in observations.RECIPIENT_KEYS]
            if unknown:
                yield f"recipients of {key}: {unknown[0]} is no key of a recipient"
                continue
            fits = [row for row in left if all(same(row[name], wanted[name]) for name in wanted)]
            if fits:
                left.remove(fits[0])
            else:
                yield f"recipients of {key}: there is no row {wanted}"
        for row in left:
            shown = ", ".join(f"{name} {_shown(value)}" for name, value in row.items())
            yield f"recipients of {key}: there is also a row with {shown}"


def _exited(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in expected.items():
        actual = stage.observe(observations.exited, key)
        for contact, reason in wanted.items():
            yield from _differs(f"exited of {key} for {contact}", actual.get(contact), reason)


def _explain(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in expected.items():
        codes = stage.observe(observations.explanations, key, list(wanted))
        for contact, code in wanted.items():
            yield from _differs(f"explain of {key} for {contact}", codes[contact], code)


def _diagnose(stage: Stage, expected: Mapping[str, ExpectedDiagnosis]) -> Iterator[str]:
    for key, diagnosis in expected.items():
        wanted = diagnosis.model_dump(exclude_unset=True)
        actual = stage.observe(observations.diagnosis, key)
        if "matched" in wanted:
            yield from _differs(f"diagnose of {key}, matched", actual["matched"], wanted["matched"])
        filters = wanted.get("filters", [])
        if len(filters) > len(actual["filters"]):
            yield f"diagnose of {key}: there are only {len(actual['filters'])} filters"
        for seen, filter_ in zip(actual["filters"], filters, strict=False):
            for name, value in filter_.items():
                what = f"diagnose of {key}, {seen['field']}, {name}"
                yield from _differs(what, seen[name], value)


def _contact(stage: Stage, expected: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in expected.items():
        actual = stage.observe(observations.contact_values, name)
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


def _last_seen(stage: Stage, expected: Mapping[str, str]) -> Iterator[str]:
    for name, wanted in expected.items():
        actual = stage.observe(observations.contact_values, name) or {}
        yield from _differs(f"last_seen of {name}", actual.get("last_seen"), wanted)


def _fields(stage: Stage, expected: list[str]) -> Iterator[str]:
    registered = stage.observe(observations.registered_fields)
    for name in expected:
        if name not in registered:
            yield f"fields: {name} is not registered"


def _mail(stage: Stage, expected: list[ExpectedMail]) -> Iterator[str]:
    sent = observations.mails(stage.transport.sent)
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
    "enrollments": _by_series(observations.enrollments, "enrollments"),
    "active": _by_series(observations.active, "active", ordered=False),
    "sent": _by_series(observations.sent, "sent"),
    "recipients": _recipients,
    "exited": _exited,
    "converted": _by_series(observations.converted, "converted", ordered=False),
    "explain": _explain,
    "ledger": _by_series(observations.ledger_of, "ledger"),
    "diagnose": _diagnose,
    "preflight": _by_series(observations.preflight, "preflight"),
    "contact": _contact,
    "last_seen": _last_seen,
    "fields": _fields,
    "mail": _mail,
}

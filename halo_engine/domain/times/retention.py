"""How long histories are kept, and which answers say from when on they are complete (§24)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from halo_engine.domain.errors import Fault, bad_input, in_its_place, several, shown
from halo_engine.domain.times.durations import format_duration, parse_duration


class History(StrEnum):
    """What is kept for a time, by the name of its setting in ``keeps``."""

    EVENTS = "events"
    STEPS = "steps"
    MAILS = "mails"
    REFUSALS = "refusals"
    SIGNALS = "signals"
    AUDIT = "audit"
    WEBHOOKS = "webhooks"
    IMPORTS = "imports"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Kept:
    """One history: for how long unless an organisation says otherwise, and the least that it may
    say. ``why`` is why not less; ``answers`` say from when on they are complete.
    """

    key: History
    words: str
    default: timedelta
    least: timedelta
    why: str
    answers: str


def _days(number: int) -> timedelta:
    return timedelta(days=number)


KEPT: Final[Mapping[History, Kept]] = {
    each.key: each
    for each in (
        Kept(
            History.EVENTS,
            "Tracked events with their properties. How often an event ever fired, first and last, "
            "is kept apart, for good.",
            _days(731),
            _days(31),
            "A surge of `auto` looks at 30 days.",
            "the timeline",
        ),
        Kept(
            History.STEPS,
            "The steps of runs that have ended. That the run was, how it began and ended, is kept "
            "for good.",
            _days(366),
            _days(31),
            "People ask what went wrong last month.",
            "runs, the funnel",
        ),
        Kept(
            History.MAILS,
            "The log of mails, with what their readers did. Whose each mail was and at which "
            "address, how many were sent, opened, clicked and replied to at each step, and mails "
            "that came back are kept for good.",
            _days(731),
            _days(92),
            "Replies and complaints come weeks later.",
            "runs, the timeline, failed mails, the funnel of one version",
        ),
        Kept(
            History.REFUSALS,
            "Why a contact was refused by a series when its trigger fired.",
            _days(366),
            _days(31),
            "People ask what went wrong last month.",
            "explain, the timeline",
        ),
        Kept(
            History.SIGNALS,
            "Signals that were set aside for an error, until somebody acts. All others are "
            "deleted when they are handled.",
            _days(92),
            _days(7),
            "Somebody has to have a chance to act.",
            "none: what is set aside is shown while it is there",
        ),
        Kept(
            History.AUDIT,
            "The audit log.",
            _days(731),
            _days(31),
            "People ask who changed something last month.",
            "the audit log",
        ),
        Kept(
            History.WEBHOOKS,
            "What webhooks tell of, delivered or not; so far back can be replayed.",
            _days(30),
            _days(7),
            "An endpoint may fail for five days.",
            "none: the list of deliveries shows those that are there",
        ),
        Kept(
            History.IMPORTS,
            "The reports of imports, with the lines that were left out.",
            _days(30),
            _days(1),
            "Somebody has to read it.",
            "none: the list of imports shows those that are there",
        ),
        Kept(
            History.KEYS,
            "Answers under idempotency keys. The same call, once it is not known any more, is done "
            "anew.",
            _days(92),
            _days(7),
            "Queues bring a call again for days.",
            "none: a repeated call is answered as before while it is known",
        ),
    )
}

#: How long each history is kept; None is for good.
Keeps = Mapping[History, timedelta | None]
#: How it is written that something is kept for good.
FOREVER: Final = "forever"


def _read_span(value: object) -> timedelta | None:
    return None if value == FOREVER else parse_duration(value, "keeps")


def written_span(span: timedelta | None) -> str:
    """Return how long something is kept, the way it is read: ``400d`` or ``forever``."""
    return FOREVER if span is None else format_duration(span)


def _long_enough(keeps: dict[History, timedelta | None]) -> dict[History, timedelta | None]:
    faults = [
        Fault(
            (kept.key.value,),
            f"{shown(written_span(span))} is too short; allowed are {format_duration(kept.least)} "
            f"and longer, or {FOREVER}",
            "bad_duration",
        )
        for kept in KEPT.values()
        if (span := keeps.get(kept.key)) is not None and span < kept.least
    ]
    if faults:
        raise several("keeps", faults)
    return keeps


#: How long histories are kept, as callers give it: those that are named.
GivenKeeps = Annotated[
    dict[
        Annotated[History, Field(strict=False)],
        Annotated[
            timedelta | None,
            BeforeValidator(in_its_place(_read_span)),
            PlainSerializer(written_span, return_type=str),
        ],
    ],
    AfterValidator(_long_enough),
]

_DEFAULTS: Final[Keeps] = {key: kept.default for key, kept in KEPT.items()}


def parsed_keeps(stored: Mapping[str, str]) -> Keeps:
    """Return how long each history is kept; ``stored`` are those that differ from the default.

    What a newer version stored and this one does not know is passed over.
    """
    if not stored:
        return _DEFAULTS
    known = {key: _read_span(stored[key]) for key in History if key in stored}
    return {**_DEFAULTS, **known}


def read_keeps(text: str, field: str = "keeps") -> dict[str, str]:
    """Return what a line such as ``events=400d audit=forever`` says, as a file writes it; raise a
    400 naming ``field`` for anything else.
    """
    parts = [part.partition("=") for part in text.split()]
    if not all(key and span for key, _, span in parts):
        allowed = "allowed are histories and spans such as events=400d audit=forever"
        raise bad_input(field, f"{shown(text)} does not say how long; {allowed}")
    return {key: span for key, _, span in parts}


def write_keeps(keeps: Keeps) -> str:
    """Return the line that says the same; blank where all are at their default."""
    return " ".join(
        f"{key}={written_span(span)}" for key, span in keeps.items() if span != _DEFAULTS[key]
    )


def by_default() -> dict[str, str]:
    """Return how long each history is kept by default, as a file writes it."""
    return {key.value: written_span(span) for key, span in _DEFAULTS.items()}

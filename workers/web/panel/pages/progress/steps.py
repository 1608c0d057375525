"""The steps of a series in order, and what became of each; how its runs ended (contract §17)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from halo_engine.answers.reports.funnel import Funnel, FunnelStep
from halo_engine.domain.reasons import Status
from halo_engine.domain.rules_panel.reason_labels import why_left, why_not_sent
from halo_engine.domain.rules_panel.step_sentences import (
    delay_in_words,
    limits_in_words,
    what_it_does,
    window_in_words,
)
from halo_engine.domain.series.definition import SeriesDefinition

#: What is counted of an email once it was sent, as pages call it.
_OF_MAIL: Final = (
    ("sent", "sent"),
    ("opened", "opened"),
    ("clicked", "clicked"),
    ("replied", "replied"),
    ("machine_opened", "opened by machines"),
    ("machine_clicked", "clicked by machines"),
    ("failed", "failed"),
    ("unknown", "of unknown outcome"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A number, and what it counts; ``path`` leads to what is counted, if anything does."""

    text: str
    count: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step in words; ``parts`` say what became of those who reached it, None if uncounted."""

    key: str
    does: str
    is_email: bool
    when: str
    window: str
    parts: tuple[Part, ...] | None = None


def step_lines(definition: SeriesDefinition, funnel: Funnel | None = None) -> Iterator[StepLine]:
    """Yield the live steps in order, then removed ones that somebody is or was at."""
    counted = {} if funnel is None else {step.step: step for step in funnel.steps}
    for index, step in enumerate(definition.steps):
        own = step.send_window if step.has_own_window else definition.settings.send_window
        found = counted.pop(step.key, None)
        yield StepLine(
            step.key,
            what_it_does(step),
            step.email is not None,
            delay_in_words(step.delay, is_first=index == 0),
            " · ".join((window_in_words(own), *limits_in_words(step))) if step.email else "",
            None if found is None else tuple(_parts(found)),
        )
    for found in counted.values():
        yield StepLine(found.step, "Removed", False, "", "", tuple(_parts(found)))


def ends_of(funnel: Funnel) -> list[Part]:
    """Return the runs of a series by what became of them: those in it first."""
    ended = sorted(funnel.ended.items(), key=lambda each: -each[1])
    return [
        Part("In it now", funnel.active),
        *(Part(why_left(reason), count) for reason, count in ended),
    ]


def reached(funnel: Funnel) -> Sequence[dict[str, Any]]:
    """Return the funnel as a picture shows it: how many reached each live step."""
    steps = [step for step in funnel.steps if not step.removed]
    counts = [sum(step.recipients.values()) for step in steps]
    most = max((funnel.enrolled, *counts), default=0)
    named = [
        ("Enrolled", funnel.enrolled),
        *((step.step, n) for step, n in zip(steps, counts, strict=True)),
    ]
    if funnel.converted:
        named.append(("Converted", funnel.converted))
    return [
        {"text": text, "count": count, "width": 1000 * count / most if most else 0}
        for text, count in named
    ]


def _parts(found: FunnelStep) -> Iterator[Part]:
    """Yield what is not 0: who waits, who went on, what was skipped, what came of the mail."""
    rows = found.recipients
    yield from _some("waiting", rows.get(Status.PENDING, 0) + rows.get(Status.PROCESSING, 0))
    yield from _some("went on", rows.get(Status.COMPLETED, 0))
    for reason, count in found.skipped.items():
        yield from _some(f"skipped: {why_not_sent(reason)}", count)
    for name, text in _OF_MAIL:
        yield from _some(text, getattr(found, name))


def _some(text: str, count: int) -> Iterator[Part]:
    if count:
        yield Part(text, count)

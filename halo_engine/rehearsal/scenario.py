"""Scenario files, read strictly: an unknown key is an error that names it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, field_validator

from halo_engine.contacts.calls import Identifier
from halo_engine.domain.errors import Fault, Refusal, examined, shown
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.times.frequency import GivenCaps
from halo_engine.domain.times.instants import parse_instant, parse_zone
from halo_engine.domain.times.quiet_hours import UTC, QuietHours
from halo_engine.domain.values import check_json, check_text
from halo_engine.domain.yaml_files.source import YamlSource
from halo_engine.rehearsal.expected import Expectation, ExpectedError, Part
from halo_engine.series.files.reading import SeriesFile, read_series

_Value = TypeVar("_Value")

DEFAULT_START = "2026-06-01T09:00:00Z"

#: Leaves room in the calendar for the timeline and all delays.
_LATEST_START: Final = datetime(9000, 1, 1, tzinfo=UTC)


class ScenarioOrg(Part):
    """The scenario's organisation."""

    timezone: str = "UTC"
    verified_domain: bool = True
    company_footer: str | None = "Acme Inc, 1 Main St"
    identity_secret: str | None = None
    mrr_mode: Literal["manual", "stripe"] = "manual"
    stripe_connected: bool = False
    quiet_hours: QuietHours | None = None
    frequency_caps: GivenCaps | None = None
    reevaluate_cron: str = "*/15 * * * *"


class ScenarioFile(Part):
    """A scenario: the sandbox that it sets, and a timeline of actions and expectations."""

    scenario: str = Field(min_length=1, description="What it shows, in one sentence.")
    start: str = Field(default=DEFAULT_START, description="The first instant of the clock.")
    org: ScenarioOrg = Field(
        default=ScenarioOrg(), description="The organisation that it plays in."
    )
    lists: tuple[Identifier, ...] = Field(default=(), description="Subscription lists, by key.")
    # ``_series_of`` reads both forms.
    series: Any = Field(
        default_factory=dict,
        description="Series by their keys, or the paths of series files from this folder.",
    )
    timeline: list[dict[str, Any]] = Field(
        default_factory=list, description="What happens, and what must be true, in order."
    )

    @field_validator("lists")
    @classmethod
    def _are_different(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(keys)) < len(keys):
            raise ValueError("a key is given twice; allowed is once")
        return keys


@dataclass(frozen=True, slots=True)
class ScenarioEntry:
    """One entry of the timeline: an action with its value, or an ``expect``."""

    number: int
    action: str
    value: Any
    error: ExpectedError | None = None

    @property
    def where(self) -> str:
        """The entry's name in messages."""
        return f"timeline entry {self.number} ({self.action})"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, read and checked; ``written`` has the series as the file writes them."""

    path: Path
    title: str
    start: datetime
    org: ScenarioOrg
    lists: tuple[str, ...]
    series: Mapping[str, SeriesDefinition]
    written: Mapping[str, Any]
    timeline: tuple[ScenarioEntry, ...]


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a file; raises 404, or a 400 with the place of each fault."""
    source = YamlSource.read(path)
    written = source.data if isinstance(source.data, dict) else {}
    file, faults = examined(ScenarioFile, source.data)
    series, in_series = _series_of(written.get("series", {}), path)
    timeline, in_timeline = _timeline_of(written.get("timeline"))
    start, in_setup = _start_of(file) if file else (None, [])
    source.refuse([*faults, *in_series, *in_timeline, *in_setup])
    # If either is missing, it was refused above.
    assert file is not None
    assert start is not None
    return Scenario(
        path=path,
        title=file.scenario,
        start=start,
        org=file.org,
        lists=file.lists,
        series=series.definitions,
        written=series.written,
        timeline=tuple(timeline),
    )


def _start_of(file: ScenarioFile) -> tuple[datetime | None, list[Fault]]:
    """Return when the scenario begins, or the faults of its setup."""
    faults = []

    def noted(read: Callable[[], _Value]) -> _Value | None:
        try:
            return read()
        except Refusal as refusal:
            place, _, problem = refusal.message.partition(": ")
            faults.append(Fault(tuple(place.split(".")), problem, refusal.code))
            return None

    noted(lambda: check_text(file.scenario, "scenario"))
    noted(lambda: check_json(file.org.model_dump(mode="json"), "org"))
    zone = noted(lambda: parse_zone(file.org.timezone, "org.timezone"))
    start = noted(lambda: parse_instant(file.start, zone or UTC, "start"))
    if start is not None and start > _LATEST_START:
        problem = f"{file.start} is too late; allowed is until the year 9000"
        faults.append(Fault(("start",), problem))
    return start, faults


def _timeline_of(written: object) -> tuple[list[ScenarioEntry], list[Fault]]:
    """Read the entries of a timeline; anything but a list was refused before."""
    entries, wrong = [], []
    for place, data in enumerate(written if isinstance(written, list) else ()):
        if not isinstance(data, dict):
            continue
        entry, faults = _entry(place + 1, data)
        entries += [entry] if entry else []
        wrong += [each.below("timeline", place) for each in faults]
    return entries, wrong


def _series_of(written: object, scenario: Path) -> tuple[SeriesFile, list[Fault]]:
    """Read a scenario's series: definitions by key, or paths of series files.

    Paths are relative to the scenario's folder, so the file that is tested is the file that is
    applied.
    """
    if isinstance(written, dict):
        definitions, wrong = read_series(written)
        return SeriesFile(written, definitions), wrong
    names = [written] if isinstance(written, str) else written
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        problem = f"{shown(written)} is refused; allowed are definitions by key, or paths of files"
        return SeriesFile({}, {}), [Fault(("series",), problem)]
    series, faults = SeriesFile({}, {}), []
    for place, name in enumerate(names):
        where = ("series", place) if isinstance(written, list) else ("series",)
        file = scenario.parent / name
        if Path(name).is_absolute() or not file.is_file():
            what = "is absolute" if Path(name).is_absolute() else "is no file"
            problem = f"{shown(name)} {what}; allowed is a path from the scenario's folder"
            faults.append(Fault(where, problem))
            continue
        added = SeriesFile.read(file)
        if twice := series.written.keys() & added.written.keys():
            problem = f"the series {', '.join(sorted(twice))} are in another file too"
            faults.append(Fault(where, f"{problem}; allowed is once"))
        series = SeriesFile(
            {**series.written, **added.written}, {**series.definitions, **added.definitions}
        )
    return series, faults


def _entry(number: int, data: dict[str, Any]) -> tuple[ScenarioEntry | None, Sequence[Fault]]:
    """Read one entry of the timeline; return None and its faults if it has any."""
    named = [key for key in data if key != "error"]
    if len(named) != 1:
        return None, [Fault((), "is one action, or one expect, with an error beside it at most")]
    action = named[0]
    if action == "expect":
        value, faults = examined(Expectation, data[action])
        wrong = [each.below(action) for each in faults]
        if "error" in data:
            problem = "only an action can be refused, and this is an expect"
            wrong.append(Fault(("error",), problem))
        return (None, wrong) if wrong else (ScenarioEntry(number, action, value), ())
    if "error" not in data:
        return ScenarioEntry(number, action, data[action]), ()
    error, faults = examined(ExpectedError, data["error"])
    wrong = [each.below("error") for each in faults]
    return (None, wrong) if wrong else (ScenarioEntry(number, action, data[action], error), ())

"""Scenario files: what they may hold, read strictly; an unknown key is an error that names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from halo_engine.domain.errors import bad_input, not_found, validated
from halo_engine.domain.instants import parse_instant, parse_zone
from halo_engine.domain.series import SeriesDefinition
from halo_engine.domain.yaml_core import load_yaml
from halo_engine.series.files import parse_series

DEFAULT_START = "2026-06-01T09:00:00Z"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OrgStage(_Part):
    """The organisation that a scenario plays in."""

    timezone: str = "UTC"
    verified_domain: bool = True
    company_footer: str | None = "Acme Inc, 1 Main St"
    identity_secret: str | None = None
    mrr_mode: Literal["manual", "stripe"] = "manual"
    stripe_connected: bool = False
    reevaluate_cron: str = "*/15 * * * *"


class ExpectedError(_Part):
    """How an action must be refused; the message is compared when it is given."""

    status: int
    message: str | None = None


class Expectation(_Part):
    """What must be true at a point of the timeline; only what is named is checked."""

    answer: dict[str, Any] | None = None
    status: dict[str, str] | None = None
    matched: dict[str, int] | None = None
    enrolled: dict[str, int] | None = None
    enrollments: dict[str, int] | None = None
    active: dict[str, list[str]] | None = None
    sent: dict[str, dict[str, list[str]]] | None = None
    recipients: dict[str, list[dict[str, Any]]] | None = None
    exited: dict[str, dict[str, str]] | None = None
    converted: dict[str, list[str]] | None = None
    explain: dict[str, dict[str, str]] | None = None
    ledger: dict[str, dict[str, int]] | None = None
    diagnose: dict[str, dict[str, Any]] | None = None
    preflight: dict[str, list[str]] | None = None
    contact: dict[str, dict[str, Any] | None] | None = None
    last_seen: dict[str, str] | None = None
    fields: list[str] | None = None
    mail: list[dict[str, Any]] | None = None


class _File(_Part):
    scenario: str = Field(min_length=1)
    start: str = DEFAULT_START
    org: OrgStage = OrgStage()
    lists: tuple[str, ...] = ()
    series: dict[str, Any] = Field(default_factory=dict)
    timeline: list[dict[str, Any]] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the timeline: an action with its value, or an ``expect``."""

    number: int
    action: str
    value: Any
    error: ExpectedError | None = None

    @property
    def where(self) -> str:
        """How messages name the entry."""
        return f"timeline entry {self.number} ({self.action})"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, read: the stage and the timeline; ``written`` holds the series as they stand
    there.
    """

    path: Path
    title: str
    start: datetime
    org: OrgStage
    lists: tuple[str, ...]
    series: Mapping[str, SeriesDefinition]
    written: Mapping[str, Any]
    timeline: tuple[Entry, ...]


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a file; a 400 or 404 names the file and what in it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise not_found("file", str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise bad_input(str(path), f"cannot be read as UTF-8 text ({error})") from None
    file = validated(_File, load_yaml(text, str(path)), "scenario")
    zone = parse_zone(file.org.timezone, "org.timezone")
    return Scenario(
        path=path,
        title=file.scenario,
        start=parse_instant(file.start, zone, "start"),
        org=file.org,
        lists=file.lists,
        series=parse_series({"series": file.series}, str(path)),
        written=file.series,
        timeline=tuple(_entry(number, entry) for number, entry in enumerate(file.timeline, 1)),
    )


def _entry(number: int, data: dict[str, Any]) -> Entry:
    where = f"timeline entry {number}"
    named = [key for key in data if key != "error"]
    if len(named) != 1:
        raise bad_input(where, "is one action, or one expect, with an error beside it at most")
    action = named[0]
    error = validated(ExpectedError, data["error"], f"{where}.error") if "error" in data else None
    value = data[action]
    if action == "expect":
        value = validated(Expectation, value, f"{where}.expect")
    return Entry(number, action, value, error)

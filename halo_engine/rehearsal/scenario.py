"""Scenario files: what they may hold, read strictly; an unknown key is an error that names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from halo_engine.contacts.calls import Identifier
from halo_engine.domain.errors import bad_input, not_found, validated
from halo_engine.domain.instants import parse_instant, parse_zone
from halo_engine.domain.series import SeriesDefinition
from halo_engine.domain.values import check_json, check_text
from halo_engine.domain.yaml_core import load_yaml
from halo_engine.series.files import parse_series

DEFAULT_START = "2026-06-01T09:00:00Z"

#: The timeline and all delays after it must end before the calendar does.
_LATEST_START: Final = datetime(9000, 1, 1, tzinfo=UTC)


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


class ExpectedFilter(_Part):
    """What a diagnosis says of one filter; only the keys given are compared."""

    place: str = ""
    field: str = ""
    operator: str = ""
    value: Any = None
    passes_alone: int = 0
    matches_without: int = 0
    missing: int = 0


class ExpectedDiagnosis(_Part):
    """What a diagnosis says; only the keys given are compared."""

    matched: int = 0
    filters: list[ExpectedFilter] = []


class ExpectedMail(_Part):
    """What a mail says; only the keys given are compared."""

    to: str = ""
    subject: str = ""
    contains: list[str] = []
    headers: dict[str, str] = {}


class Expectation(_Part):
    """What must be true at a point of the timeline; only what is named is checked."""

    answer: dict[str, Any] = {}
    status: dict[str, str] = {}
    matched: dict[str, int] = {}
    enrolled: dict[str, int] = {}
    enrollments: dict[str, int] = {}
    active: dict[str, list[str]] = {}
    sent: dict[str, dict[str, list[str]]] = {}
    recipients: dict[str, list[dict[str, Any]]] = {}
    exited: dict[str, dict[str, str]] = {}
    converted: dict[str, list[str]] = {}
    explain: dict[str, dict[str, str]] = {}
    ledger: dict[str, dict[str, int]] = {}
    diagnose: dict[str, ExpectedDiagnosis] = {}
    preflight: dict[str, list[str]] = {}
    contact: dict[str, dict[str, Any] | None] = {}
    last_seen: dict[str, str] = {}
    fields: list[str] = []
    mail: list[ExpectedMail] = []


class _File(_Part):
    scenario: str = Field(min_length=1)
    start: str = DEFAULT_START
    org: OrgStage = OrgStage()
    lists: tuple[Identifier, ...] = ()
    series: dict[str, Any] = Field(default_factory=dict)
    timeline: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("lists")
    @classmethod
    def _are_different(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(keys)) < len(keys):
            raise ValueError("a key is given twice; allowed is once")
        return keys


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
    check_text(file.scenario, "scenario.scenario")
    check_json(file.org.model_dump(), "scenario.org")
    zone = parse_zone(file.org.timezone, "org.timezone")
    start = parse_instant(file.start, zone, "start")
    if start > _LATEST_START:
        raise bad_input("start", f"{file.start} is too late; allowed is until the year 9000")
    return Scenario(
        path=path,
        title=file.scenario,
        start=start,
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
        if error is not None:
            raise bad_input(
                f"{where}.error", "only an action can be refused, and this is an expect"
            )
        value = validated(Expectation, value, f"{where}.expect")
    return Entry(number, action, value, error)

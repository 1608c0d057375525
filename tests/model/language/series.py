"""Series as a person defines them: a checked definition (contract §3 to §7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.clock import parse_duration
from tests.model.language.events import EventGroups, parse_event_filters
from tests.model.language.expressions import parse_expression
from tests.model.language.fields import keys_of
from tests.model.language.filters import Filter, parse_filters
from tests.model.language.refusals import RefusedError, refuse_unless
from tests.model.language.windows import Window, parse_window
from tests.model.signals import EVERYTHING

ENTRY_TRIGGERS = ("manual", "user_created", "event", "segment_match")
EXIT_RULES = (
    "completed",
    "unsubscribed",
    "replied",
    "segment_leave",
    "event",
    "filter_match",
    "manual",
    "suppressed",
    "company_already_enrolled",
)
DEFAULTS: dict[str, Any] = {
    "name": None,
    "kind": "transactional",
    "entry_trigger": None,
    "audience_type": "all",
    "contact_type": "both",
    "subscription": None,
    "audience_filters": [],
    "settings": {},
    "steps": [],
}
SETTINGS: dict[str, Any] = {
    "one_per_company": False,
    "one_per_address": False,
    "entry_patience": "0",
    "reenroll_enabled": False,
    "reenroll_delay_days": None,
    "entry_event_name": None,
    "entry_event_filters": [],
    "exit_rules": [],
    "exit_event_name": None,
    "exit_event_filters": [],
    "exit_filters": [],
    "goal_enabled": False,
    "goal_filters": [],
    "goal_window_days": 30,
    "send_window": None,
    "delivery_guarantee": "at_most_once",
    "count_machine_opens": False,
    "surge": None,
    "when_capped": "wait",
}
ALLOWED: dict[str, tuple[Any, ...]] = {
    "kind": ("transactional", "marketing"),
    "entry_trigger": ENTRY_TRIGGERS,
    "audience_type": ("all", "segment", "subscription"),
    "contact_type": ("both", "user", "lead"),
}
CONDITIONS = ("email_opened", "link_clicked", "user_property", "event_fired")
MOST_PATIENCE = timedelta(days=7)
Groups = list[list[Filter]]


@dataclass(frozen=True)
class Step:
    """An email (subject and body) or a condition (type and value), after a delay (§5)."""

    key: str
    delay: timedelta
    email: Mapping[str, str] | None
    condition: Mapping[str, Any] | None
    window: Window | None
    ignore_caps: bool
    filters: EventGroups
    send_by: timedelta | None

    @property
    def is_early(self) -> bool:
        """Whether it opens as soon as its event fires (contract §21)."""
        return bool(self.condition and self.condition.get("early"))

    def problem(self) -> str | None:
        """Return what makes the condition unusable, or None (contract §8, check 9)."""
        if self.condition is None:
            return None
        kind, value = self.condition.get("type"), self.condition.get("value")
        needed = kind in ("event_fired", "user_property")
        if needed and not (isinstance(value, str) and value.strip()):
            return f"condition {kind} needs a value"
        if kind == "user_property":
            try:
                parse_expression(value)
            except RefusedError as refusal:
                return refusal.message
        return None


@dataclass(frozen=True)
class Surge:
    """How many contacts may enter in any span of this length, None for `auto` (contract §19)."""

    at_most: int | None
    within: timedelta


def _parse_surge(raw: Any) -> Surge | None:
    if raw is None:
        return None
    refuse_unless(isinstance(raw, dict), 400, "surge needs at_most and within")
    _check_keys(raw, dict.fromkeys(("at_most", "within")), "surge")
    at_most, within = raw.get("at_most"), raw.get("within")
    whole = isinstance(at_most, int) and not isinstance(at_most, bool) and at_most >= 1
    refuse_unless(whole or at_most == "auto", 400, "surge: at_most must be 1 or more, or auto")
    try:
        span = parse_duration(within)
    except ValueError as error:
        raise RefusedError(400, f"surge: {error}") from None
    allowed = timedelta(minutes=1) <= span <= timedelta(days=30)
    refuse_unless(allowed, 400, "surge: within must be 1m to 30d")
    return Surge(at_most if whole else None, span)


@dataclass(frozen=True)
class Definition:
    """A series' checked definition; `raw` is what later saves are merged over (contract §3-§8)."""

    raw: Mapping[str, Any]
    kind: str
    entry_trigger: str
    audience_type: str
    contact_type: str
    subscription: str | None
    audience_filters: Groups
    settings: Mapping[str, Any]
    exit_filters: Groups
    goal_filters: Groups
    entry_event_filters: EventGroups
    entry_patience: timedelta
    exit_event_filters: EventGroups
    steps: tuple[Step, ...]
    surge: Surge | None

    @property
    def patience(self) -> timedelta:
        """Return for how long contacts wait for data: not at all with other triggers (§23)."""
        waits = self.entry_trigger in ("user_created", "event")
        return self.entry_patience if waits else timedelta(0)

    def asked_of_auto(self) -> tuple[Any, ...] | None:
        """Return what the bound of a surge that says `auto` depends on; None of others (§19)."""
        if self.surge is None or self.surge.at_most is not None:
            return None
        return self.surge.within, self.entry_trigger, self.settings["entry_event_name"]

    def names_events(self) -> bool:
        """Say whether the audience names an `event:` field (contract §2)."""
        return any(f.field.startswith("event:") for group in self.audience_filters for f in group)

    def named_series(self) -> set[str]:
        """Return the keys of the series that its filters name (contract §22)."""
        places = (self.audience_filters, self.exit_filters, self.goal_filters)
        return {key for groups in places for key in series_in(groups)}

    @property
    def stored(self) -> dict[str, Any]:
        """`raw` as saves leave it: with settings, also where a first one wrote none."""
        return merge(self.raw, {})

    def names(self, changed: frozenset[str]) -> bool:
        """Say whether the audience names anything that changed (decision 7)."""
        named = {key for group in self.audience_filters for f in group for key in keys_of(f.field)}
        return changed == EVERYTHING or not changed.isdisjoint(named)

    def position(self, key: str) -> int | None:
        """Return where the step of this key stands, from 0, or None when there is none."""
        return next((n for n, step in enumerate(self.steps) if step.key == key), None)


def series_in(groups: Groups) -> set[str]:
    """Return the keys of the series that filters name (contract §22)."""
    fields = (each.field for group in groups for each in group)
    return {field.removeprefix("series:") for field in fields if field.startswith("series:")}


def merge(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a raw definition with changes laid over it; settings key by key (scenarios.md)."""
    settings = {**raw.get("settings", {}), **changes.get("settings", {})}
    return {**raw, **changes, "settings": settings}


def _check_keys(raw: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(raw) - set(known))
    refuse_unless(not unknown, 400, f"{where} has unknown keys: {', '.join(unknown)}")


def _parse_step(raw: Any, series_window: Window | None, zone: ZoneInfo) -> Step:
    of_mail = ("send_window", "ignore_caps", "send_by")
    known = dict.fromkeys(("key", "delay", "email", "condition", *of_mail))
    refuse_unless(isinstance(raw, dict) and raw.get("key"), 400, "a step needs a key")
    _check_keys(raw, known, f"step {raw['key']}")
    email, condition = raw.get("email"), raw.get("condition")
    refuse_unless((email is None) != (condition is None), 400, "a step is an email or a condition")
    if condition is not None:
        _check_keys(condition, dict.fromkeys(("type", "value", "filters", "early")), "condition")
        refuse_unless(condition.get("type") in CONDITIONS, 400, f"condition type: {CONDITIONS}")
        says_more = bool(condition.get("filters") or condition.get("early"))
        is_event = condition["type"] == "event_fired"
        refuse_unless(is_event or not says_more, 400, "filters and early are of event_fired alone")
        refuse_unless(isinstance(condition.get("early", False), bool), 400, "early: true or false")
    try:
        delay = parse_duration(raw.get("delay", 0))
        send_by = None if raw.get("send_by") is None else parse_duration(raw["send_by"])
    except ValueError as error:
        raise RefusedError(400, f"step {raw['key']}: {error}") from None
    own = "send_window" in raw
    window = parse_window(raw["send_window"], zone) if own else series_window
    ignores = raw.get("ignore_caps", False)
    is_of_mail = ignores or send_by is not None
    refuse_unless(email or not is_of_mail, 400, "ignore_caps and send_by are of emails")
    filters = parse_event_filters((condition or {}).get("filters", []), "filters")
    window = window if email else None
    return Step(raw["key"], delay, email, condition, window, ignores, filters, send_by)


def parse_definition(raw: Mapping[str, Any], zone: ZoneInfo) -> Definition:
    """Check a raw definition; raises `RefusedError`, naming what is wrong (contract §3).

    `zone` is that of the organisation, for windows without one.
    """
    _check_keys(raw, DEFAULTS, "series")
    full = {**DEFAULTS, **raw}
    for key, allowed in ALLOWED.items():
        refuse_unless(full[key] in allowed, 400, f"{key} must be one of {allowed}")
    _check_keys(full["settings"], SETTINGS, "settings")
    settings = {**SETTINGS, **full["settings"]}
    unknown = set(settings["exit_rules"]) - set(EXIT_RULES)
    refuse_unless(not unknown, 400, f"exit_rules must be some of {EXIT_RULES}")
    series_window = parse_window(settings["send_window"], zone)
    steps = tuple(_parse_step(each, series_window, zone) for each in full["steps"])
    refuse_unless(len({step.key for step in steps}) == len(steps), 400, "step keys repeat")
    return Definition(
        raw=raw,
        kind=full["kind"],
        entry_trigger=full["entry_trigger"],
        audience_type=full["audience_type"],
        contact_type=full["contact_type"],
        subscription=full["subscription"],
        audience_filters=parse_filters(full["audience_filters"], "audience_filters"),
        settings=settings,
        exit_filters=parse_filters(settings["exit_filters"], "exit_filters"),
        goal_filters=parse_filters(settings["goal_filters"], "goal_filters"),
        entry_patience=_parse_patience(settings["entry_patience"]),
        entry_event_filters=parse_event_filters(
            settings["entry_event_filters"], "entry_event_filters", at_entry=True
        ),
        exit_event_filters=parse_event_filters(
            settings["exit_event_filters"], "exit_event_filters"
        ),
        steps=steps,
        surge=_parse_surge(settings["surge"]),
    )


def _parse_patience(value: Any) -> timedelta:
    try:
        patience = timedelta(0) if value == "0" else parse_duration(value)
    except ValueError:
        raise RefusedError(400, "entry_patience: not a duration") from None
    refuse_unless(patience <= MOST_PATIENCE, 400, "entry_patience: at most 7d")
    return patience

"""The rules panel as a form: its fields, and the definition that they write (§17).

A field is named by its path in the definition, as messages name it: ``settings.goal_window_days``,
``audience_filters[0][1].value``. So an error of the definition belongs to the field of that name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from halo_engine.domain.errors import Fault, Refusal, named_path
from halo_engine.domain.rules_panel.filter_builders import (
    Builders,
    at_input,
    pairs_of,
    posted_builders,
    rows_of,
    unwritten,
    without_blanks,
    written_groups,
)
from halo_engine.domain.rules_panel.filter_rows import number_of
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.domain.series.exits import EXIT_RULES, ExitReason
from halo_engine.domain.series.settings import EVENT_FILTER_SETTINGS, FILTER_SETTINGS
from halo_engine.domain.times.durations import format_duration
from halo_engine.domain.times.written_limits import (
    read_surge,
    read_window,
    write_surge,
    write_window,
)

_SETTINGS: Final = "settings."
#: The fields that are one text each.
TEXTS: Final = (
    "name",
    "kind",
    "entry_trigger",
    "settings.entry_event_name",
    "settings.entry_patience",
    "contact_type",
    "audience_type",
    "subscription",
    "settings.reenroll_delay_days",
    "settings.goal_window_days",
    "settings.exit_event_name",
    "settings.surge",
    "settings.send_window",
    "settings.when_capped",
)
#: Those of them that are read as a line.
_LINES: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "settings.surge": read_surge,
    "settings.send_window": read_window,
}
#: Those of them that are numbers.
_NUMBERS: Final = frozenset({"settings.reenroll_delay_days", "settings.goal_window_days"})
#: Those that have a default of their own where they are empty.
_DEFAULTED: Final = frozenset(
    {"settings.goal_window_days", "settings.entry_patience", "settings.when_capped"}
)
#: Those that a definition always has; others are null, or left at their default, where empty.
_CHOICES: Final = frozenset({"kind", "entry_trigger", "contact_type", "audience_type"})
#: The fields that are on or off: a browser sends those that are on.
SWITCHES: Final = (
    "settings.one_per_company",
    "settings.one_per_address",
    "settings.reenroll_enabled",
    "settings.goal_enabled",
)
EXITS: Final = "settings.exit_rules"
#: The rules that the form has a switch for. ``completed`` is on, whatever a series says.
EXIT_CHOICES: Final = tuple(rule for rule in EXIT_RULES if rule.is_listed)
#: The fields that name the events whose properties are filtered on.
EVENT_NAMES: Final = ("settings.entry_event_name", "settings.exit_event_name")
#: Where filters stand.
EVENT_BUILDERS: Final = tuple(f"{_SETTINGS}{name}" for name in EVENT_FILTER_SETTINGS)
BUILDERS: Final = (
    "audience_filters",
    *(f"{_SETTINGS}{name}" for name in FILTER_SETTINGS),
    *EVENT_BUILDERS,
)


@dataclass(frozen=True, slots=True)
class RulesForm:
    """What stands in the form: texts and filter rows by field, and the names of what is on."""

    texts: Mapping[str, str]
    switches: frozenset[str]
    exits: frozenset[str]
    builders: Builders

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the names and values that a browser sends."""
        yield from self.texts.items()
        yield from ((name, "on") for name in SWITCHES if name in self.switches)
        yield from ((EXITS, key) for key in sorted(self.exits))
        yield from pairs_of(self.builders)

    def without_blanks(self) -> "RulesForm":
        """Return it without the rows that nobody filled in, and without groups of none."""
        return self.with_builders(without_blanks(self.builders))

    def with_builders(self, changed: Builders) -> "RulesForm":
        """Return it with other filters at some places."""
        return replace(self, builders={**self.builders, **changed})

    def written(self, base: SeriesDefinition) -> dict[str, Any]:
        """Return the definition that the form makes of ``base``, right or wrong.

        What has no field in the form stays as it is in ``base``. Call it without blanks.
        """
        data: dict[str, Any] = base.model_dump(mode="json", by_alias=True, exclude_unset=True)
        settings = dict(data.get("settings", {}))
        for name, text in self.texts.items():
            self._write(data, settings, name, _read(name, text))
        for name in SWITCHES:
            self._write(data, settings, name, name in self.switches)
        self._write(data, settings, EXITS, self._exit_rules(base))
        for place, groups in self.builders.items():
            self._write(data, settings, place, written_groups(groups))
        return {**data, "settings": settings}

    @staticmethod
    def _write(data: dict[str, Any], settings: dict[str, Any], name: str, value: Any) -> None:
        into = settings if name.startswith(_SETTINGS) else data
        key = name.removeprefix(_SETTINGS)
        if value is _DEFAULT:
            into.pop(key, None)
        else:
            into[key] = value

    def _exit_rules(self, base: SeriesDefinition) -> list[str]:
        """Return the rules that are on; those of ``base`` keep their order."""
        on = self.exits | {ExitReason.COMPLETED}
        before = [key for key in base.settings.exit_rules if key in on]
        chosen = [rule.key for rule in EXIT_CHOICES if rule.key in self.exits]
        return [*before, *(key for key in chosen if key not in before)]

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong in the form itself: values that nobody has written yet, lines that
        say nothing.
        """
        for name in _LINES:
            try:
                _LINES[name](self.texts[name], name)
            except Refusal as refusal:
                yield Fault(tuple(name.split(".")), refusal.message.partition(": ")[2])
        yield from unwritten(self.builders)

    def errors(self, faults: Iterable[Fault]) -> Mapping[str, str]:
        """Return what is wrong by the field that it belongs to; the first of each field.

        What belongs to no field of the form is under its own path.
        """
        found: dict[str, str] = {}
        for fault in faults:
            name = named_path("", fault.path)
            name = next((line for line in _LINES if name.startswith(f"{line}.")), name)
            found.setdefault(*at_input(name, fault, BUILDERS))
        return found


#: Left out of the definition, which then has the default.
_DEFAULT: Final = object()


def form_of(definition: SeriesDefinition) -> RulesForm:
    """Return the form that shows a definition."""
    settings = definition.settings
    numbers = {name: getattr(settings, name.removeprefix(_SETTINGS)) for name in _NUMBERS}
    texts = {
        "name": definition.name or "",
        "kind": definition.kind.value,
        "entry_trigger": definition.entry_trigger.value,
        "settings.entry_event_name": settings.entry_event_name or "",
        "contact_type": definition.contact_type.value,
        "audience_type": definition.audience_type.value,
        "subscription": definition.subscription or "",
        "settings.exit_event_name": settings.exit_event_name or "",
        "settings.entry_patience": _length(settings.entry_patience),
        "settings.surge": write_surge(settings.surge),
        "settings.send_window": write_window(settings.send_window),
        "settings.when_capped": settings.when_capped.value,
        **{name: _number(value) for name, value in numbers.items()},
    }
    return RulesForm(
        texts={name: texts[name] for name in TEXTS},
        switches=frozenset(
            name for name in SWITCHES if getattr(settings, name.removeprefix(_SETTINGS))
        ),
        exits=frozenset(key.value for key in settings.exit_rules),
        builders={place: rows_of(_groups(definition, place)) for place in BUILDERS},
    )


def posted(
    pairs: Collection[tuple[str, str]], otherwise: Mapping[str, str] = MappingProxyType({})
) -> RulesForm:
    """Return the form that a browser sent; names that it does not have are passed over.

    ``otherwise`` has the texts that it did not send: its page may be from before they were there.
    """
    texts = {**dict.fromkeys(TEXTS, ""), **otherwise}
    switches: set[str] = set()
    exits: set[str] = set()
    for name, value in pairs:
        if name in texts:
            texts[name] = value
        elif name in SWITCHES:
            switches.add(name)
        elif name == EXITS:
            exits.add(value)
    return RulesForm(
        texts=texts,
        switches=frozenset(switches),
        exits=frozenset(exits),
        builders=posted_builders(pairs, BUILDERS),
    )


def _groups(definition: SeriesDefinition, place: str) -> Any:
    name = place.removeprefix(_SETTINGS)
    return getattr(definition.settings if name != place else definition, name)


def _read(name: str, text: str) -> Any:
    """Return what a text stands for: nothing where it is empty, a number where one is due."""
    if not text and name in _DEFAULTED:
        return _DEFAULT
    if not text and name not in _CHOICES:
        return None
    if name in _LINES:
        with suppress(Refusal):
            return _LINES[name](text, name)
    return number_of(text) if name in _NUMBERS else text


def _length(length: timedelta) -> str:
    return format_duration(length) if length else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else str(value)

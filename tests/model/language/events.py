"""What is said of the event at hand, and what a run keeps of it (contract §21)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.model.language.filters import Filter, make_event_filter, read_groups
from tests.model.language.refusals import refuse_unless
from tests.model.language.values import same_json

PREFIX = "event."
MOST_KEPT = 8_192


@dataclass(frozen=True)
class Same:
    """Whether the event has the value of a property that the run keeps."""

    name: str


EventGroups = list[list[Filter | Same]]


def parse_event_filters(raw: Any, name: str, *, at_entry: bool = False) -> EventGroups:
    """Read groups of `event.NAME` filters and, of a run that has begun, of `same`."""

    def read(item: Any) -> Filter | Same:
        if isinstance(item, dict) and "same" in item:
            refuse_unless(set(item) == {"same"}, 400, f"{name}: same stands alone")
            refuse_unless(isinstance(item["same"], str) and item["same"].strip(), 400, name)
            refuse_unless(not at_entry, 400, f"{name}: no run has begun")
            return Same(item["same"])
        return make_event_filter(item, name)

    return read_groups(raw, name, read)


def event_passes(
    groups: EventGroups,
    properties: Mapping[str, Any],
    kept: Mapping[str, Any],
    now: datetime,
    zone: ZoneInfo,
) -> bool:
    """Say whether an event holds any of the groups, or there are none."""

    def passes(item: Filter | Same) -> bool:
        if isinstance(item, Same):
            value = properties.get(item.name)
            return value is not None and same_json(value, kept.get(item.name))
        return item.passes(properties.get(item.field.removeprefix(PREFIX)), now, zone)

    return not groups or any(all(passes(item) for item in group) for group in groups)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def kept_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run keeps: all, or what is left when the largest are taken out."""
    kept = dict(properties)
    while _size(kept) > MOST_KEPT:
        del kept[max(kept, key=lambda name: (_size({name: kept[name]}), name))]
    return kept

"""A setting holds 1,000 filters, and asks for 50 lists, series and spans, at most (§3, §22)."""

from typing import Any

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.bounds import beyond_bounds
from halo_engine.domain.fields.filter_groups import parse_groups
from halo_engine.series.save import parse_definition


def _lists(count: int) -> list[list[dict[str, Any]]]:
    return [[{"field": f"list:l{n}", "operator": "is", "value": True}] for n in range(count)]


def _roles(count: int) -> list[list[dict[str, Any]]]:
    return [[{"field": "role", "operator": "is", "value": f"r{n}"}] for n in range(count)]


@pytest.mark.parametrize("written", [_lists(50), _lists(1) * 1_000, _roles(1_000)])
def test_what_is_allowed_is_not_beyond(written: list[Any]) -> None:
    """Fifty lists, one list a thousand times, and a thousand values of a field are allowed."""
    assert beyond_bounds(parse_groups(written, "audience_filters")) is None


@pytest.mark.parametrize(
    ("setting", "written", "problem"),
    [
        ("audience_filters", _roles(1_001), "holds 1001 filters; allowed are 1000"),
        (
            "audience_filters",
            _lists(51),
            "asks for 51 lists, series and counts within a span; allowed are 50",
        ),
        (
            "audience_filters",
            [
                {"field": "event:paid", "operator": "gt", "value": 1, "within": f"{n}d"}
                for n in range(1, 52)
            ],
            "asks for 51 lists, series and counts within a span; allowed are 50",
        ),
        ("settings.exit_filters", _roles(1_001), "holds 1001 filters; allowed are 1000"),
        (
            "settings.entry_event_filters",
            [{"field": "event.amount", "operator": "gt", "value": n} for n in range(1_001)],
            "holds 1001 filters; allowed are 1000",
        ),
        (
            "steps[0].condition.filters",
            [{"same": "order"}] * 1_001,
            "holds 1001 filters; allowed are 1000",
        ),
    ],
)
def test_a_definition_with_more_is_refused(setting: str, written: list[Any], problem: str) -> None:
    """The 400 names the setting, how many it holds, and how many are allowed."""
    with pytest.raises(Refusal) as raised:
        parse_definition("big", _definition(setting, written))
    assert raised.value.code == "too_many_filters"
    assert raised.value.message == f"series.big.{setting}: {problem}"


def _definition(setting: str, written: list[Any]) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "paid"},
    }
    if setting == "audience_filters":
        return {**definition, setting: written}
    if setting.startswith("settings."):
        name = setting.removeprefix("settings.")
        return {**definition, "settings": {**definition["settings"], name: written}}
    gate = {"type": "event_fired", "value": "paid", "filters": written}
    return {**definition, "steps": [{"key": "gate", "condition": gate}]}

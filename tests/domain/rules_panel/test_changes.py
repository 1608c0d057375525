"""What a save changes is said in the panel's words (contract §17)."""

from typing import Any

import pytest

from halo_engine.domain.rules_panel.changes import label_of_part, value_in_words
from halo_engine.domain.rules_panel.form import BUILDERS, EXITS, SWITCHES, TEXTS
from halo_engine.domain.rules_panel.labels import PARTS


def test_every_field_of_the_form_has_a_label() -> None:
    """Errors and changes name a field by it, as the page does."""
    assert set(PARTS) == {*TEXTS, *SWITCHES, EXITS, *BUILDERS}
    assert label_of_part("settings.goal_filters") == "Goal filters"
    assert label_of_part("steps.hello.delay") == "steps.hello.delay"


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("entry_trigger", "user_created", "User signs up"),
        ("entry_trigger", "unheard-of", "unheard-of"),
        ("audience_type", "all", "All contacts with email"),
        ("settings.goal_enabled", True, "On"),
        ("settings.goal_enabled", False, "Off"),
        ("settings.goal_window_days", 30, "30"),
        ("settings.exit_rules", ["replied", "manual"], "Replies to an email, Manual removal only"),
        ("settings.exit_filters", [], "Not set"),
        ("subscription", None, "Not set"),
        (
            "audience_filters",
            [[{"field": "source", "operator": "is", "value": "sdk"}]],
            "Source is ‘sdk’",
        ),
        ("audience_filters", [[{"field": "gone"}]], '[[{"field": "gone"}]]'),
        ("settings.send_window", {"days": ["mon"]}, '{"days": ["mon"]}'),
    ],
)
def test_a_value_is_said_in_the_panel_s_words(part: str, value: Any, said: str) -> None:
    """A missing value reads “not set”; a value without words is shown as JSON."""
    assert value_in_words(part, value) == said

"""Filters on an event as lines of text (contract §17, §21)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.fields.filters import dump_groups
from halo_engine.domain.rules_panel.event_lines import lines_of, read_lines
from halo_engine.domain.series.conditions import Condition

_NAMES = st.sampled_from(["amount", "plan name", "is it", "a.b", "same"])
_VALUES = st.one_of(
    st.text(max_size=8).filter(lambda text: "\0" not in text and text.isascii()),
    st.sampled_from(["100", "true", "null", '"', " pro ", "", "gte 5", "a\nb", "[1]"]),
    st.integers(-5, 5),
    st.booleans(),
    st.sampled_from([2.5, -1e20]),
)
_ITEMS = st.one_of(
    st.builds(
        lambda name, value: {"field": f"event.{name}", "operator": "is", "value": value},
        _NAMES,
        _VALUES,
    ),
    st.builds(lambda name: {"same": name}, _NAMES),
)


@given(st.lists(st.lists(_ITEMS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_lines_read_back_are_the_same_filters(groups: list[list[dict[str, object]]]) -> None:
    """What is shown as lines is read as the filters that it was made from, to the letter."""
    condition = Condition.model_validate(
        {"type": "event_fired", "value": "paid", "filters": groups}
    )
    assert read_lines(lines_of(condition.filters)) == dump_groups(condition.filters)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (" event.amount  gte 100 ", [[{"field": "event.amount", "operator": "gte", "value": 100}]]),
        ("event.plan is pro", [[{"field": "event.plan", "operator": "is", "value": "pro"}]]),
        ('event.plan is "5"', [[{"field": "event.plan", "operator": "is", "value": "5"}]]),
        ("same order_id\n\n\nsame a b", [[{"same": "order_id"}], [{"same": "a b"}]]),
        ("event.note is_set", [[{"field": "event.note", "operator": "is_set"}]]),
        ("nonsense", [[{"field": "nonsense", "operator": "is", "value": ""}]]),
        (" \n", []),
    ],
)
def test_lines_as_people_write_them(text: str, read: list[object]) -> None:
    """One filter a line, an empty line for "or"; what is no filter is refused when it is saved."""
    assert read_lines(text) == read

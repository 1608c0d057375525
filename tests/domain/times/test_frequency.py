"""Frequency caps as they are written, and what is refused (contract §20)."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.series.definition import StepDefinition
from halo_engine.domain.times.frequency import FrequencyCap


@pytest.mark.parametrize("within", [0, "0s", "367d"])
def test_a_span_out_of_bounds_is_shown_with_what_is_allowed(within: Any) -> None:
    """A cap looks back from one second to 366 days."""
    with pytest.raises(Refusal) as raised:
        validated(FrequencyCap, {"at_most": 2, "within": within}, "cap")
    shown = f"‘{within}’" if isinstance(within, str) else within
    assert raised.value.message == f"cap.within: {shown} is no span; allowed are 1s to 366d"
    assert raised.value.code == "bad_duration"


def test_the_shortest_and_the_longest_span_are_allowed() -> None:
    """Both bounds belong to what is allowed."""
    caps = [{"at_most": 1, "within": "1s"}, {"at_most": 1, "within": "366d"}]
    read = TypeAdapter(tuple[FrequencyCap, ...]).validate_python(caps)
    assert [cap.model_dump(mode="json") for cap in read] == caps


@pytest.mark.parametrize("given", ["yes", "false", 1, None])
def test_whether_caps_are_ignored_is_true_or_false(given: Any) -> None:
    """Nothing that merely looks like it is taken for a switch."""
    step = {"key": "hello", "email": {"subject": "s", "body": "b"}, "ignore_caps": given}
    with pytest.raises(Refusal, match=r"step\.ignore_caps: .* allowed are true and false"):
        validated(StepDefinition, step, "step")

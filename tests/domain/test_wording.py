"""Pydantic's errors are worded by us; no message has the library's words (contract §11)."""

from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from halo_engine.domain.errors import examined
from halo_engine.domain.wording import ALLOWED


class Colour(StrEnum):
    """An enumeration."""

    RED = "red"
    GREEN = "green"


class Everything(BaseModel):
    """A model with a field of each kind that the engine's models have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    colour: Annotated[Colour, Field(strict=False)] = Colour.RED
    strictly: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    short: Annotated[str, Field(min_length=2)] = "ab"
    long: Annotated[str, Field(max_length=2)] = "ab"
    few: Annotated[list[int], Field(max_length=1)] = []
    many: Annotated[dict[str, int], Field(min_length=1)] = {"a": 1}
    low: Annotated[int, Field(ge=1, le=3)] = 1
    high: Annotated[float, Field(gt=1, lt=3)] = 2
    id: Annotated[UUID, Field(strict=False)] = UUID(int=0)
    amount: Annotated[Decimal, Field(strict=False)] = Decimal(0)
    of_day: time = time(0)
    lasts: timedelta = timedelta(0)
    pair: tuple[int, ...] = ()
    nothing: None = None
    finite: Annotated[float, Field(allow_inf_nan=False)] = 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"colour": "blue"}, "‘blue’ is refused; allowed are red, green"),
        ({"choice": 1}, "1 is refused; allowed are a, b"),
        ({"short": "a"}, "‘a’ is refused; allowed is text of 2 or more characters"),
        ({"long": "abc"}, "‘abc’ is refused; allowed is text of 2 or fewer characters"),
        ({"few": [1, 2]}, "a list is refused; allowed are 1 or fewer entries"),
        ({"many": {}}, "an object is refused; allowed are 1 or more entries"),
        ({"low": 0}, "0 is refused; allowed is 1 or more"),
        ({"low": 4}, "4 is refused; allowed is 3 or less"),
        ({"low": "x"}, "‘x’ is refused; allowed is a whole number"),
        ({"high": 1}, "1 is refused; allowed is more than 1.0"),
        ({"high": 3}, "3 is refused; allowed is less than 3.0"),
        ({"finite": float("inf")}, "inf is refused; allowed is a finite number"),
        ({"pair": 1}, "1 is refused; allowed is a list"),
        ({"strictly": "red"}, "‘red’ is refused; allowed is what `halo schema` shows"),
        ({"nothing": 1}, "1 is refused; allowed is null"),
    ],
)
def test_each_finding_says_what_is_allowed(data: dict[str, Any], said: str) -> None:
    """Each message shows the value and says what is allowed."""
    _, faults = examined(Everything, data)
    assert [each.problem for each in faults] == [said]


@pytest.mark.parametrize("field", list(Everything.model_fields))
@pytest.mark.parametrize("value", [None, True, 7, 0.5, "text", [], {}, float("nan")])
def test_no_words_of_the_library_come_through(field: str, value: object) -> None:
    """No message has Pydantic's words, whatever the value and the field."""
    _, faults = examined(Everything, {field: value})
    try:
        Everything.model_validate({field: value})
    except ValidationError as error:
        theirs = [each["msg"] for each in error.errors()]
        assert len(theirs) == len(faults)
        for fault, words in zip(faults, theirs, strict=True):
            assert "allowed" in fault.problem
            assert words not in fault.problem
            assert "nput should" not in fault.problem
    else:
        assert faults == ()


def test_the_table_names_findings_that_there_are() -> None:
    """Each type in the table is one of Pydantic's; a misspelt one would never be used."""
    assert set(ALLOWED) <= set(get_args(ErrorType))

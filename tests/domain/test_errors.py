"""A refusal says no in a way that programs and people can read (contract §11)."""

import json
import pickle
from typing import Annotated

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict

from halo_engine.domain.errors import (
    Refusal,
    bad_input,
    conflict,
    examined,
    in_its_place,
    located,
    not_found,
    shown,
    unauthorized,
    validated,
)


def test_a_refusal_is_its_message_and_tells_the_rest_as_data() -> None:
    """Printed, a refusal is its message; as data it has status, code and message."""
    refusal = bad_input(
        "traits.mrr", "‘N/A’ is refused; allowed are a number, or null", "bad_trait"
    )
    assert str(refusal) == "traits.mrr: ‘N/A’ is refused; allowed are a number, or null"
    assert refusal.as_dict() == {
        "status": 400,
        "code": "bad_trait",
        "message": "traits.mrr: ‘N/A’ is refused; allowed are a number, or null",
    }


def test_a_refusal_survives_pickling_and_a_json_result_backend() -> None:
    """Rebuilt from its pickle, or from its arguments as JSON, it is the same refusal."""
    refusal = conflict("series_not_draft", "This series is active.")
    unpickled = pickle.loads(pickle.dumps(refusal))
    rebuilt = Refusal(*json.loads(json.dumps(refusal.args)))
    assert type(unpickled) is Refusal
    assert unpickled.as_dict() == rebuilt.as_dict() == refusal.as_dict()


def test_each_status_has_its_constructor() -> None:
    """Each status of the contract has a constructor."""
    refusals = [
        bad_input("user_id", "is required"),
        unauthorized("bad_token", "The token is expired."),
        not_found("contact", "nobody"),
        conflict("not_paused", "This series is not paused."),
    ]
    assert [(refusal.status, refusal.code, str(refusal)) for refusal in refusals] == [
        (400, "bad_input", "user_id: is required"),
        (401, "bad_token", "The token is expired."),
        (404, "unknown_contact", "There is no contact ‘nobody’."),
        (409, "not_paused", "This series is not paused."),
    ]


def test_a_refusal_raised_inside_gets_the_path_to_it() -> None:
    """Where nested input is read, each level puts its place before the message."""
    with pytest.raises(Refusal) as caught, located("users[3]"), located("traits"):
        raise bad_input("mrr", "‘x’ is not a number", "bad_trait")
    assert caught.value.as_dict() == {
        "status": 400,
        "code": "bad_trait",
        "message": "users[3]: traits: mrr: ‘x’ is not a number",
    }


class Seat(BaseModel):
    """A part of a model that is read strictly."""

    model_config = ConfigDict(extra="forbid")

    number: int


def _seconds(value: object) -> int:
    if isinstance(value, int):
        return value
    problem = f"{shown(value)} is not a duration; allowed is a number of seconds"
    raise bad_input("delay", problem, "bad_duration")


class Row(BaseModel):
    """A model that is read strictly."""

    model_config = ConfigDict(extra="forbid")

    seats: list[Seat]
    best: Seat | None = None
    until: Annotated[int, BeforeValidator(in_its_place(_seconds))] = 0


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ("text", "bad_input", "row: ‘text’ is not an object with seats, best, until"),
        ({}, "missing_key", "row.seats: is required"),
        ({"seats": 5}, "bad_input", "row.seats: 5 is refused; allowed is a list"),
        ({"seats": [5]}, "bad_input", "row.seats[0]: 5 is not an object with number"),
        ({"seats": [], "best": 5}, "bad_input", "row.best: 5 is not an object with number"),
        (
            {"seats": [], "best": {"number": 1, "x": 2}},
            "unknown_key",
            "row.best.x: unknown key; allowed are number",
        ),
        (
            {"seats": [], "until": "soon"},
            "bad_duration",
            "row.until: ‘soon’ is not a duration; allowed is a number of seconds",
        ),
        (
            {"seats": [], "seets": 1},
            "unknown_key",
            "row.seets: unknown key (did you mean ‘seats’?); allowed are seats, best, until",
        ),
        (
            {"seats": [{"number": 1, "x": 1}]},
            "unknown_key",
            "row.seats[0].x: unknown key; allowed are number",
        ),
        (
            {"seats": [{"number": 1}, {"number": [2]}]},
            "bad_input",
            "row.seats[1].number: a list is refused; allowed is a whole number",
        ),
    ],
)
def test_input_that_fits_no_model_is_refused_with_its_path(
    data: object, code: str, message: str
) -> None:
    """The path leads to the first thing that is wrong, and unknown keys are never ignored."""
    with pytest.raises(Refusal) as caught:
        validated(Row, data, "row")
    assert caught.value.as_dict() == {"status": 400, "code": code, "message": message}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("pro", "‘pro’"),
        ("a\x00b\r\n", "‘a\\x00b\\r\\n’"),
        ("\ud800", "‘\\ud800’"),
        ("x" * 100, f"‘{'x' * 59}…’"),
        (None, "null"),
        (True, "true"),
        (-3, "-3"),
        pytest.param(10**5000, "a huge number", id="5001 digits"),
        (0.5, "0.5"),
        ({"a": 1}, "an object"),
        ([1], "a list"),
        (b"x", "a bytes"),
    ],
)
def test_untrusted_values_are_quoted_short_and_printable(value: object, words: str) -> None:
    """Whatever was sent, a message can be printed, stored and encoded."""
    assert shown(value) == words
    shown(value).encode()


class _Bare(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


def test_of_very_many_faults_the_first_hundred_are_told() -> None:
    """An input of a megabyte can be wrong a hundred thousand times: nobody reads that."""
    built, faults = examined(_Bare, {f"key{n}": n for n in range(50_000)})
    assert built is None
    assert [fault.path for fault in faults] == [(f"key{n}",) for n in range(100)]

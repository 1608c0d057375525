"""Only values that PostgreSQL stores and compares exactly are accepted (contract §2)."""

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.values import check_json, read_back


def nested(depth: int) -> object:
    """Return objects and lists in turn, ``depth`` of them inside each other."""
    value: object = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "\uffff👩‍🚀",
        2**63 - 1,
        -(2**63),
        1.7976931348623157e308,
        {},
        [],
        {"": [{"a": [None]}]},
        nested(32),
    ],
)
def test_sound_json_is_let_in(value: object) -> None:
    """JSON of up to int64, finite doubles, any text, and 32 levels is accepted."""
    check_json(value, "traits")


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({"a": "x\x00"}, "bad_text", "traits.a: ‘x\\x00’ cannot be stored; allowed is text with"),
        ({"a": ["\udfff"]}, "bad_text", "traits.a[0]: ‘\\udfff’ cannot be stored; allowed is text"),
        ({"a": {"\x00": 1}}, "bad_text", "traits.a, in a key: ‘\\x00’ cannot be stored; allowed"),
        ({"a": {"\ud800": 1}}, "bad_text", "traits.a, in a key: ‘\\ud800’ cannot be stored; allow"),
        ({"a": 2**63}, "bad_number", "traits.a: 9223372036854775808 cannot be stored; allowed are"),
        ({"a": -(2**63) - 1}, "bad_number", "traits.a: -9223372036854775809 cannot be stored; all"),
        pytest.param(
            {"a": 10**131_000}, "bad_number", "traits.a: a huge number cannot be stored;", id="huge"
        ),
        ({"a": float("nan")}, "bad_number", "traits.a: nan cannot be stored; allowed are int64 an"),
        ({"a": float("-inf")}, "bad_number", "traits.a: -inf cannot be stored; allowed are int64"),
        (nested(33), "too_deep", "traits[0].a[0].a[0].a"),
        ({"a": (1,)}, "bad_json", "traits.a: a list is not JSON"),
        ({"a": {1}}, "bad_json", "traits.a: a set is not JSON"),
        ({"a": b"x"}, "bad_json", "traits.a: a bytes is not JSON"),
        ({1: "a"}, "bad_json", "traits: the key 1 is not text"),
    ],
)
def test_what_would_poison_a_row_is_refused_with_its_path(
    value: object, code: str, message: str
) -> None:
    """A value or key that cannot be stored is refused with its path, at any depth."""
    with pytest.raises(Refusal) as caught:
        check_json(value, "traits")
    assert (caught.value.status, caught.value.code) == (400, code)
    assert str(caught.value).startswith(message)


def test_nesting_without_end_is_refused_and_not_followed() -> None:
    """A document deeper than Python's stack is refused."""
    with pytest.raises(Refusal, match=r"nests deeper than allowed; the limit is 32 levels$"):
        check_json(nested(100_000), "traits")


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        (9_300_000_000_000_000_000, 9.3e18),
        (-9_223_372_036_854_776_000, -9.223372036854776e18),
        (10**308, 1e308),
        (2**63 - 1, 2**63 - 1),
        (1.5, 1.5),
        # No double is written so: it came from nobody whom we let in.
        (2**63, 2**63),
        (10**400, 10**400),
    ],
)
def test_a_double_that_was_stored_is_read_back(stored: float, written: float) -> None:
    """PostgreSQL writes a double of whole value with all its digits."""
    assert (read_back(stored), type(read_back(stored))) == (written, type(written))

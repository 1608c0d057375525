"""A key is made from what people call a thing (contract §17)."""

import pytest

from halo_engine.domain.rules_panel.keys import key_from
from halo_engine.domain.series.definition import check_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Trial ends soon!", "trial-ends-soon"),
        ("Welcome, {{ name|there }}", "welcome"),
        ("Grüße aus Köln", "grue-aus-koln"),
        ("order_paid", "order_paid"),
        ("x" * 300, "x" * 90),
        ("日本", ""),
        ("", ""),
    ],
)
def test_a_key_is_made_of_the_letters_that_keys_have(text: str, key: str) -> None:
    """Merge fields are left out; of a text without such letters there is none."""
    assert key_from(text) == key
    assert not key or check_key(key) == key


def test_a_key_that_is_taken_gets_a_number() -> None:
    """The first that is free."""
    assert key_from("Hello", {"hello", "hello-2"}) == "hello-3"

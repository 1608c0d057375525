"""A series that is under way."""

from typing import Any, Final

import pytest

from tests.panel.browsing import Shop

STEPS: Final[list[dict[str, Any]]] = [
    {
        "key": "hello",
        "email": {"subject": "Welcome", "body": "Hi"},
        "send_window": {"days": ["mon", "tue", "wed"], "from": "00:00", "to": "23:59"},
    },
    {"key": "paid", "delay": "2d", "condition": {"type": "event_fired", "value": "order_paid"}},
    {"key": "thanks", "email": {"subject": "Thanks", "body": "Thank you"}},
]
_ANY_TIME: Final[list[dict[str, Any]]] = [
    {**step, "send_window": None} if "email" in step else step for step in STEPS
]


@pytest.fixture
def welcome(shop: Shop) -> Shop:
    """A shop whose series has three contacts at its gate and one that signed up before."""
    shop.sandbox.contacts(["old"], email=None)
    shop.sandbox.series("welcome", entry_trigger="user_created", steps=_ANY_TIME)
    shop.sandbox.signal(shop.sandbox.contacts(["ann", "ben", "cy"]))
    shop.sandbox.settle()
    return shop

"""Which opens and clicks are machines' (contract §16)."""

from datetime import UTC, datetime, timedelta

import pytest

from halo_engine.domain.machines import is_prefetched, is_proxy_opening

SENT = datetime(2026, 5, 27, 12, tzinfo=UTC)
PERSON = "Mozilla/5.0 (iPhone) Safari/604.1"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("method", "headers", "is_machine"),
    [
        ("GET", {}, False),
        ("HEAD", {}, True),
        ("GET", {"purpose": "prefetch"}, True),
        ("GET", {"sec-purpose": "Prefetch;prerender"}, True),
        ("GET", {"purpose": "other"}, False),
    ],
)
def test_a_request_may_say_that_no_person_made_it(
    method: str, headers: dict[str, str], *, is_machine: bool
) -> None:
    """A request may say by its method or a header that no person made it."""
    assert is_prefetched(method, headers) is is_machine


@pytest.mark.parametrize(
    ("agent", "after", "sent", "is_machine"),
    [
        ("Mozilla/5.0", timedelta(minutes=1), True, True),
        (" Mozilla/5.0 ", timedelta(hours=1), True, True),
        ("Mozilla/5.0", timedelta(hours=1, seconds=1), True, False),
        ("Mozilla/5.0", timedelta(0), False, False),
        (PERSON, timedelta(0), True, False),
        (GMAIL, timedelta(0), True, False),
        ("", timedelta(0), True, False),
    ],
)
def test_a_bare_user_agent_soon_after_delivery_is_a_proxy(
    agent: str, after: timedelta, *, sent: bool, is_machine: bool
) -> None:
    """A bare user agent soon after delivery is a proxy; Gmail's, or one that names itself, acts for
    a person.
    """
    assert is_proxy_opening(agent, SENT + after, SENT if sent else None) is is_machine

"""Operators' tasks that come late: one is overtaken, one has expired (contract §2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import Stack
from tests.acceptance.one_stack.test_series_tasks import LETTER

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def org(stack: Stack) -> str:
    """An organisation with a contact, and with an active series ``letter``, activated now."""
    org = stack.organization()
    traits = {"email": "ann@a.example"}
    stack.ask("halo.identify", widget_key=org, user_id="ann", traits=traits)
    stack.ask("halo.series.apply", org=org, series={"letter": LETTER})
    stack.ask("halo.series.activate", org=org, series="letter")
    return org


def refused(answer: Any) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer["refused"]["status"], answer["refused"]["code"]


def test_an_order_older_than_the_last_change_is_refused(stack: Stack, org: str) -> None:
    """A pause that arrives after a later resume is refused, and the series stays active."""

    def order(verb: str, at: datetime) -> Any:
        return stack.ask(f"halo.series.{verb}", org=org, series="letter", sent_at=at)

    now = datetime.now(UTC)
    assert order("pause", now)["status"] == "paused"
    assert order("resume", now + timedelta(milliseconds=1))["status"] == "active"
    late = order("pause", now - A_MINUTE)
    assert refused(late) == (409, "overtaken")
    sent, changed = (at.isoformat(timespec="milliseconds")[:-6] for at in (now - A_MINUTE, now))
    assert sent in late["refused"]["message"]
    assert changed[:-4] in late["refused"]["message"]
    assert refused(order("stop", now - A_MINUTE)) == (409, "overtaken")
    # Two times from the sender's clock are compared with each other, however slow that clock is.
    assert stack.ask("halo.series.show", org=org, series="letter")["status"] == "active"
    assert order("stop", datetime.now(UTC))["status"] == "completed"


def test_an_order_that_a_worker_died_with_is_as_old_as_its_first_delivery(
    stack: Stack, org: str
) -> None:
    """A redelivered pause counts from its first delivery: the series, resumed since, stays
    active.
    """
    first = datetime.now(UTC)
    stack.ask("halo.series.pause", org=org, series="letter")
    stack.ask("halo.series.resume", org=org, series="letter")
    late = stack.redeliver("halo.series.pause", first, org=org, series="letter")
    assert refused(late) == (409, "overtaken")


def test_other_orders_can_be_overtaken_too(stack: Stack, org: str) -> None:
    """Saved definitions, removals of contacts, and stops of mail can be overtaken too."""
    before = datetime.now(UTC) - A_MINUTE
    other = {**LETTER, "name": "Another name"}
    late = stack.ask("halo.series.apply", org=org, series={"letter": other}, sent_at=before)
    assert refused(late) == (409, "overtaken")
    stack.wait_until(
        lambda: stack.ask("halo.series.funnel", org=org, series="letter")["active"] == 1,
        "ann is in it",
    )
    removal = {"org": org, "series": "letter", "contact": "ann"}
    assert refused(stack.ask("halo.series.remove", **removal, sent_at=before)) == (409, "overtaken")
    assert stack.ask("halo.series.remove", **removal)["exit_reason"] == "manual"
    for verb in ("stop", "start"):
        assert "stops" in stack.ask(f"halo.sending.{verb}", org=org)
    late = stack.ask("halo.sending.stop", org=org, sent_at=before)
    assert refused(late) == (409, "overtaken")
    assert stack.ask("halo.sending.show", org=org)["stops"] == []


@pytest.mark.parametrize(
    ("task", "call"),
    [
        ("halo.series.pause", {"series": "letter"}),
        ("halo.series.apply", {"series": {"letter": LETTER}}),
        ("halo.series.list", {}),
        ("halo.sending.stop", {}),
        ("halo.organizations.erase", {}),
        ("halo.signals.retry", {"all": True}),
    ],
)
def test_an_order_expires_and_says_so(
    stack: Stack, org: str, task: str, call: dict[str, Any]
) -> None:
    """An operator's task that is taken more than ten minutes after it was sent changes nothing."""
    sent_at = datetime.now(UTC) - timedelta(minutes=10, seconds=1)
    answer = stack.ask(task, org=org, **call, sent_at=sent_at)
    assert refused(answer) == (409, "expired")
    assert answer["refused"]["message"].startswith(f"{task}: was sent at {sent_at:%Y-%m-%dT%H:%M}")
    assert stack.ask("halo.series.show", org=org, series="letter")["status"] == "active"


def test_an_invalid_sending_time_is_refused(stack: Stack, org: str) -> None:
    """An invalid sending time is a 400 that names it."""
    answer = stack.ask("halo.series.pause", org=org, series="letter", sent_at="just now")
    assert answer["refused"]["message"].startswith("halo.series.pause.sent_at: ‘just now’ is not a")

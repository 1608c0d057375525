"""What rules decide is the same whether old rows were deleted or not (contract §24)."""

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Engine, Row, select

from halo_engine.audience.matched import count_matched
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import Purpose
from halo_engine.domain.reasons import SeriesStatus
from halo_engine.mail.incoming.bounce_reports import note_bounces
from halo_engine.mail.incoming.events import MailCall, ReadMailCall, open_mail, reply_to_mail
from halo_engine.mail.incoming.links import unsubscribe_by_link
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.series.catalogue import load_series
from halo_engine.tables import (
    automation_enrollments,
    automations,
    end_users,
    events,
    messages,
    suppressions,
)
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, Sandbox, new_sandbox
from tests.retention.years import DAY, cap, fire, keep, links_to, sends_marketing, sweep, user

NAMES: Final = ("ann", "bob", "cyd", "dan")
EVENTS: Final = ("login", "paid", "viewed")
#: Shortest of all, but for events: a series counts those of 40 days.
KEEPS: Final = {
    "events": "40d",
    "steps": "31d",
    "refusals": "31d",
    "audit": "31d",
    "mails": "92d",
}
#: The caps look back as far as mails are kept.
CAPS: Final = ("7d", "92d")


def _within(event: str, operator: str, value: int, span: str) -> dict[str, Any]:
    return {"field": f"event:{event}", "operator": operator, "value": value, "within": span}


_LATER: Final = {**EMAIL, "key": "later", "delay": "90d"}
_PAID: Final = {"type": "event_fired", "value": "paid"}
_AGAIN: Final = {"reenroll_enabled": True, "reenroll_delay_days": 20}
_BY_EVENT: Final = {**_AGAIN, "entry_event_name": "viewed"}
_SAME: Final[list[list[dict[str, Any]]]] = [[{"same": "item"}]]
SERIES: Final[dict[str, dict[str, Any]]] = {
    "idle": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [_within("login", "lt", 1, "40d")],
        "settings": {**_AGAIN, "exit_rules": ["segment_leave"]},
        "steps": [_LATER],
    },
    "compared": {
        "entry_trigger": "event",
        "settings": {
            **_BY_EVENT,
            "exit_rules": ["event"],
            "exit_event_name": "paid",
            "exit_event_filters": _SAME,
        },
        "steps": [_LATER, {**EMAIL, "key": "last", "delay": "30d"}],
    },
    "gated": {
        "entry_trigger": "event",
        "settings": _BY_EVENT,
        "steps": [{"key": "gate", "delay": "70d", "condition": {**_PAID, "filters": _SAME}}, EMAIL],
    },
    "goal": {
        "entry_trigger": "user_created",
        "settings": {
            **_AGAIN,
            "goal_enabled": True,
            "goal_window_days": 40,
            "goal_filters": [{"field": "event:login", "operator": "gte", "value": 3}],
            "exit_rules": ["filter_match"],
            "exit_filters": [_within("paid", "gte", 2, "10d")],
        },
        "steps": [EMAIL, _LATER],
    },
    "read": {
        "entry_trigger": "event",
        "kind": "marketing",
        "settings": {**_BY_EVENT, "exit_rules": ["replied"]},
        "steps": [
            EMAIL,
            {"key": "opened", "delay": "95d", "condition": {"type": "email_opened"}},
            {**EMAIL, "key": "last"},
        ],
    },
    "once": {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "paid"},
        "audience_type": "segment",
        "audience_filters": [{"field": "event:viewed", "operator": "gte", "value": 2}],
        "steps": [EMAIL],
    },
}


def _decided(work: Work) -> list[Row[Any]]:
    runs = automation_enrollments
    asked = (
        select(
            automations.c.key,
            end_users.c.external_id,
            *(runs.c[name] for name in ("number", "created_at", "ended_at", "exit_reason")),
            *(runs.c[name] for name in ("converted_at", "left_audience", "event_properties")),
        )
        .join_from(runs, automations, automations.c.id == runs.c.automation_id)
        .join(end_users, end_users.c.id == runs.c.end_user_id)
        .where(runs.c.org_id == work.org_id)
        .order_by(automations.c.key, end_users.c.external_id, runs.c.number)
    )
    return list(work.connection.execute(asked))


def _matched(work: Work) -> list[int]:
    series = load_series(work.connection, work.org_id, work.org.hours, statuses=list(SeriesStatus))
    return [count_matched(work.connection, work.org_id, each, work.moment) for each in series]


def _suppressed(work: Work) -> list[Any]:
    gone = suppressions
    asked = select(gone.c.address, gone.c.bounced_at, gone.c.unsubscribed_at)
    return list(
        work.connection.execute(asked.where(gone.c.org_id == work.org_id).order_by("address"))
    )


def _act(each: Sandbox, dice: random.Random) -> None:
    """Do what the dice say: an event, late or not, a changed user, or nothing; and something that
    comes of a mail, or nothing.
    """
    name, event = dice.choice(NAMES), dice.choice(EVENTS)
    late = dice.choice((0, 0, 0, 1, 60)) * DAY
    match dice.randrange(4):
        case 0:
            user(each, name, plan=dice.choice(("free", "pro")))
        case 1 | 2:
            fire(each, name, event, each.now - late, item=dice.randrange(3))
    match dice.randrange(3):
        case 0:
            _read_mail(each, name, dice)
        case 1:
            each.perform(_report_full)
    each.tick()


def _read_mail(each: Sandbox, name: str, dice: random.Random) -> None:
    """Open the latest mail of a step, or answer it; where there is none, nothing happens."""
    named = {"contact": name, "series": "read", "step": EMAIL["key"]}
    replies = dice.randrange(4) == 0
    with suppress(Refusal):
        if replies:
            each.perform(lambda work: reply_to_mail(work, MailCall.model_validate(named)))
        else:
            each.perform(lambda work: open_mail(work, ReadMailCall.model_validate(named)))


def _report_full(work: Work) -> None:
    """Return the latest mail to bob, if it is of these days: servers tell within days."""
    fresh = (
        select(messages.c.recipient_id)
        .join_from(messages, end_users, end_users.c.id == messages.c.end_user_id)
        .where(messages.c.org_id == work.org_id, end_users.c.external_id == "bob")
        .where(messages.c.sent_at > work.now - 5 * DAY)
        .order_by(messages.c.recipient_id.desc())
    )
    full = Bounce(for_good=False, reason=BounceReason.MAILBOX_FULL)
    note_bounces(work, dict.fromkeys(work.connection.scalars(fresh.limit(1)), full))


def _leave(work: Work) -> None:
    """Let cyd follow the link of her first mail, which may be deleted."""
    first, *_ = links_to(work, "cyd", Purpose.UNSUBSCRIBE)
    unsubscribe_by_link(work, first)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.torture) for n in range(1, 30))]
)
def test_rules_decide_the_same_with_and_without_a_past(database: Engine, seed: int) -> None:
    """Two organisations live the same 200 days; of one, old rows are deleted every few days."""
    both = [new_sandbox(database, name) for name in ("forgets", "remembers")]
    for each in both:
        sends_marketing(each)
        cap(each, *CAPS)
        for key, definition in SERIES.items():
            each.series(key, **definition)
        for name in NAMES:
            user(each, name)
        each.tick()
    forgets, remembers = both
    keep(forgets, **KEEPS)
    steps, deleted = random.Random(seed), 0
    for turn in range(48):
        pause = steps.choice((timedelta(hours=1), 4 * DAY, 10 * DAY))
        for each in both:
            each.now += pause
            _act(each, random.Random(f"{seed}-{turn}"))
            if turn == 40:
                each.perform(_leave)
        if turn % 4 == 0:
            deleted += sweep(forgets)
            forgets.engine.chores.tend_months()
    for decide in (_decided, _matched, _suppressed):
        assert forgets.perform(decide) == remembers.perform(decide)
    told = [[(mail["To"], mail["Subject"]) for mail in each.transport.sent] for each in both]
    assert told[0] == told[1]
    assert (deleted > 20, len(told[0]) > 10) == (True, True)
    assert forgets.count(events) < remembers.count(events)
    assert forgets.count(messages) < remembers.count(messages)

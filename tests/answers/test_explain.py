"""Explain answers with the first reason that applies, in the order of contract §4."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, func, select

from halo_engine.answers.explain.explain import explain
from halo_engine.answers.explain.unhandled import unhandled
from halo_engine.answers.reports.funnel import funnel
from halo_engine.contacts.events.track import TrackCall, track
from halo_engine.domain.errors import Refusal
from halo_engine.domain.phrases import on_the_clock
from halo_engine.domain.series.exits import ExitReason
from halo_engine.series.lifecycle import stop
from halo_engine.tables import waiting_entries
from tests.answers.sandbox import BY_PLAN, PRO, Sandbox
from tests.contacts.sandbox import NOW, add_contact, new_organization, statements

AGAIN: dict[str, Any] = {"reenroll_enabled": True}


# The codes, in the order of the table.


def test_active(sandbox: Sandbox) -> None:
    """A contact with an active enrollment is active."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    assert sandbox.explain("ann").code == "active"


def test_active_comes_before_everything_else(sandbox: Sandbox) -> None:
    """A pause, or an audience that no longer holds, does not change the code."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    sandbox.change("ann", custom_fields={})
    sandbox.suppress("ann")
    sandbox.pause()
    assert sandbox.explain("ann").code == "active"


def test_series_not_active(sandbox: Sandbox) -> None:
    """A draft enrolls nobody, and says what to do."""
    sandbox.pro("ann")
    sandbox.series(active=False, **BY_PLAN)
    answer = sandbox.explain("ann")
    assert answer.code == "series_not_active"
    assert answer.why == "The series is still a draft, and a draft enrolls nobody."
    assert answer.change == "Activate the series."
    assert answer.once_active is not None
    assert answer.once_active.model_dump() == {
        "code": "active",
        "why": "It would be in it: the activation enrolls who matches.",
        "change": None,
        "until": None,
    }


@pytest.mark.parametrize(
    ("definition", "code", "why"),
    [
        (
            {"entry_trigger": "user_created"},
            "trigger_not_fired",
            (
                "It fits, but the series takes contacts that are created while it is active, and "
                "this one exists already."
            ),
        ),
        (
            {"entry_trigger": "event", "settings": {"entry_event_name": "paid"}},
            "trigger_not_fired",
            "Nothing would refuse it: it enters when the event ‘paid’ fires.",
        ),
        (
            {"entry_trigger": "manual", "contact_type": "lead"},
            "contact_type",
            "The series is for leads only, and this contact is a user.",
        ),
        (
            BY_PLAN | {"contact_type": "user"},
            "audience_mismatch",
            "The audience filter does not hold: plan is missing.",
        ),
    ],
)
def test_of_a_draft_it_says_what_would_be(
    sandbox: Sandbox, definition: dict[str, Any], code: str, why: str
) -> None:
    """For a draft explain says what its activation would do: enroll, refuse by a guard, or wait for
    a trigger.
    """
    sandbox.add("ann")
    sandbox.series(active=False, **definition)
    answer = sandbox.explain("ann")
    assert answer.code == "series_not_active"
    assert answer.once_active is not None
    assert (answer.once_active.code, answer.once_active.why) == (code, why)
    assert [each.place for each in answer.filters] == (
        ["audience_filters[0][0]"] if code == "audience_mismatch" else []
    )


def test_only_of_a_draft_is_it_said_what_would_be(sandbox: Sandbox) -> None:
    """Only drafts have that outlook."""
    sandbox.add("ann")
    sandbox.series(**BY_PLAN)
    assert sandbox.explain("ann").once_active is None


def test_series_not_active_while_paused(sandbox: Sandbox) -> None:
    """A paused series enrolls nobody: the code is series_not_active."""
    sandbox.series(**BY_PLAN)
    sandbox.pro("ann")
    sandbox.pause()
    answer = sandbox.explain("ann")
    assert answer.code == "series_not_active"
    assert answer.why == "The series is paused, and nobody enters meanwhile."


def test_series_not_active_once_completed(sandbox: Sandbox) -> None:
    """A completed manual series takes nobody, not even who was in it before."""
    sandbox.add("ann")
    sandbox.series(entry_trigger="manual")
    sandbox.end("ann")
    sandbox.reevaluate()
    answer = sandbox.explain("ann")
    assert answer.code == "series_not_active"
    assert answer.why == (
        "The series is completed: it was stopped, or a manual series has run its course."
    )


def test_contact_type(sandbox: Sandbox) -> None:
    """A lead does not enter a series of users; identifying makes it a user."""
    sandbox.series(contact_type="user", **BY_PLAN)
    sandbox.pro("lea", external_id=None)
    answer = sandbox.explain("lea")
    assert answer.code == "contact_type"
    assert answer.contact == "lea@a.example"
    assert answer.why == "The series is for users only, and this contact is a lead."
    assert answer.change == (
        "Identify it with a user ID, which turns the lead into a user; or set the contact type to "
        "‘Users and leads’."
    )


def test_a_filter_that_asks_for_a_value_says_what_it_saw(sandbox: Sandbox) -> None:
    """Blank text is quoted, a value that should not be there is named (contract §22)."""
    sandbox.series(
        audience_type="segment",
        audience_filters=[
            [{"field": "plan", "operator": "is_set"}],
            [{"field": "custom:seats", "operator": "is_empty"}],
        ],
    )
    sandbox.add("ann", custom_fields={"plan": " ", "seats": 0})
    answer = sandbox.explain("ann")
    assert answer.why == "The audience filter does not hold: plan is ‘ ’; or custom:seats is 0."
    assert answer.change == "Needed: plan is set; or custom:seats is empty."
    assert [(each.value, each.seen, each.missing) for each in answer.filters] == [
        (None, " ", True),
        (None, 0, False),
    ]


def test_a_count_within_a_span_is_what_the_filter_saw(sandbox: Sandbox) -> None:
    """The answer names the count of the span, not that of all time (contract §22)."""
    sandbox.series(
        audience_type="segment",
        audience_filters=[
            {"field": "event:login", "operator": "gte", "value": 2, "within": "36h"},
        ],
    )
    sandbox.add("ann")
    for at in (NOW - timedelta(days=2), NOW):
        call = TrackCall(user_id="ann", event="login", timestamp=at.isoformat())
        track(sandbox.work, call)
    answer = sandbox.explain("ann")
    saw = "The audience filter does not hold: event:login is 1 within 36h."
    assert answer.why.startswith(saw)
    assert (answer.change or "").startswith("Needed: event:login is at least 2 within 36h.")
    assert [(each.within, each.seen, each.missing) for each in answer.filters] == [
        ("36h", 1, False)
    ]


def test_audience_mismatch_names_the_filters_that_failed(sandbox: Sandbox) -> None:
    """Each group's failing filters are named, with the stored and the wanted values."""
    sandbox.series(
        audience_type="segment",
        audience_filters=[
            [
                {"field": "role", "operator": "is", "value": "owner"},
                {"field": "source", "operator": "is", "value": "sdk"},
                {"field": "signed_up_at", "operator": "after", "value": "-30d"},
            ],
            [{"field": "custom:seats", "operator": "gte", "value": 10}],
        ],
    )
    sandbox.add("ann", signed_up_at=NOW - timedelta(days=31), custom_fields={"seats": "many"})
    answer = sandbox.explain("ann")
    assert answer.code == "audience_mismatch"
    assert answer.why == (
        "The audience filter does not hold: role is missing, signed_up_at is 2026-05-01 09:00 UTC; "
        "or custom:seats is ‘many’, which is not a number."
    )
    assert answer.change == (
        "Needed: role is ‘owner’ and signed_up_at is at or after 2026-05-02 09:00 UTC; "
        "or custom:seats is at least 10. A missing value matches nothing."
    )
    assert [each.model_dump(mode="json") for each in answer.filters] == [
        {
            "place": "audience_filters[0][0]",
            "field": "role",
            "operator": "is",
            "value": "owner",
            "seen": None,
            "missing": True,
        },
        {
            "place": "audience_filters[0][2]",
            "field": "signed_up_at",
            "operator": "after",
            "value": "-30d",
            "seen": "2026-05-01T09:00:00.000000+00:00",
            "missing": False,
        },
        {
            "place": "audience_filters[1][0]",
            "field": "custom:seats",
            "operator": "gte",
            "value": 10,
            "seen": "many",
            "missing": True,
        },
    ]


def test_audience_mismatch_of_everybody_is_a_missing_address(sandbox: Sandbox) -> None:
    """The audience ‘all’ is every contact with an email."""
    sandbox.series(entry_trigger="user_created")
    sandbox.add("ann", email=None)
    answer = sandbox.explain("ann")
    assert answer.code == "audience_mismatch"
    assert answer.why == "It has no email address."
    assert answer.filters == ()


def test_audience_mismatch_of_a_list_names_the_list(sandbox: Sandbox) -> None:
    """A list series is for its subscribers."""
    sandbox.list("news")
    sandbox.series(entry_trigger="user_created", audience_type="subscription", subscription="news")
    sandbox.add("ann")
    answer = sandbox.explain("ann")
    assert answer.code == "audience_mismatch"
    assert answer.why == "It is not an active subscriber of the list ‘news’."
    assert answer.change == "It has to subscribe to ‘news’."


@pytest.mark.parametrize(
    ("cause", "why", "change"),
    [
        (
            "bounced_at",
            "Mail to its address bounced on 2026-06-01 09:00 UTC.",
            "Give it another email address, or lift it: `halo contacts unsuppress`.",
        ),
        (
            "complained_at",
            "A mail to its address was called spam on 2026-06-01 09:00 UTC.",
            "Give it another email address, or lift it: `halo contacts unsuppress`.",
        ),
        (
            "unsubscribed_at",
            "Its address was unsubscribed from everything on 2026-06-01 09:00 UTC.",
            "It has to subscribe again.",
        ),
    ],
)
def test_suppressed(sandbox: Sandbox, cause: str, why: str, change: str) -> None:
    """Only an unsubscription ends by subscribing again."""
    sandbox.series(**BY_PLAN)
    sandbox.pro("ann")
    sandbox.suppress("ann", cause)
    answer = sandbox.explain("ann")
    assert (answer.code, answer.why, answer.change) == ("suppressed", why, change)


def test_waiting_signals_are_told_by_the_oldest(sandbox: Sandbox) -> None:
    """Explain names the oldest of several waiting signals, and reads one row for each contact."""
    sandbox.series(**BY_PLAN)
    sandbox.add("ann", "bob")
    for name in ("ann", "bob"):
        for _ in range(3):
            sandbox.wait(minutes=1)
            sandbox.left(name, "plan")
    read: list[int] = []

    def note(_connection: Any, cursor: Any, *_: Any) -> None:
        read.append(cursor.rowcount)

    series, connection = sandbox.saved(), sandbox.work.connection
    event.listen(connection, "after_cursor_execute", note)
    found = unhandled(sandbox.work, series, list(sandbox.ids.values()))
    event.remove(connection, "after_cursor_execute", note)
    assert [found[sandbox.ids[name]].why for name in ("ann", "bob")] == [
        f"A signal of a change of it, of 2026-06-01 {at} UTC, has not been handled yet."
        for at in ("09:01", "09:04")
    ]
    assert read == [2]


def test_already_enrolled(sandbox: Sandbox) -> None:
    """Without re-enrollment a contact enters once; explain says when and how that run ended."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    sandbox.wait(days=1)
    sandbox.end("ann", ExitReason.REPLIED)
    answer = sandbox.explain("ann")
    assert answer.code == "already_enrolled"
    assert answer.why == (
        "Enrollment 1 began on 2026-06-01 09:00 UTC and ended on 2026-06-02 09:00 UTC (replied). "
        "Re-enrollment is off."
    )
    assert answer.change == "Switch re-enrollment on."


def test_reenroll_delay_says_until_when(sandbox: Sandbox) -> None:
    """The delay counts from the creation of the latest enrollment, in days of 86,400 seconds."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, settings={**AGAIN, "reenroll_delay_days": 1.5})
    sandbox.end("ann")
    sandbox.wait(hours=36, microseconds=-1)
    answer = sandbox.explain("ann")
    assert answer.code == "reenroll_delay"
    assert answer.until == NOW + timedelta(hours=36)
    assert answer.change == "Wait until 2026-06-02 21:00 UTC, or shorten the delay."

    sandbox.wait(microseconds=1)
    assert sandbox.explain("ann").code == "not_newly_matching"


def test_not_newly_matching_until_seen_outside(sandbox: Sandbox) -> None:
    """A contact matches anew only after it was found outside the audience."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, settings=AGAIN)
    sandbox.end("ann")
    answer = sandbox.explain("ann")
    assert answer.code == "not_newly_matching"
    assert answer.change == "It has to leave the audience, be seen outside, and match again."

    sandbox.change("ann", custom_fields={})
    sandbox.changed("ann", "custom:plan")
    sandbox.change("ann", custom_fields={"plan": "pro"})
    assert sandbox.explain("ann").code == "awaiting_evaluation"


def test_exit_filter_names_the_group_that_holds(sandbox: Sandbox) -> None:
    """Groups that do not hold are not named."""
    exits = [
        [
            {"field": "custom:vip", "operator": "is", "value": True},
            {"field": "event:login", "operator": "lt", "value": 2},
        ],
        [{"field": "mrr", "operator": "gt", "value": 100}],
    ]
    sandbox.series(**BY_PLAN, settings={"exit_rules": ["filter_match"], "exit_filters": exits})
    sandbox.add("ann", custom_fields={"plan": "pro", "vip": True})
    answer = sandbox.explain("ann")
    assert answer.code == "exit_filter"
    assert answer.why == "The exit filter holds already: custom:vip is true, event:login is 0."
    assert answer.change == (
        "It must no longer hold: custom:vip is true and event:login is less than 2."
    )
    assert [(each.place, each.seen) for each in answer.filters] == [
        ("exit_filters[0][0]", True),
        ("exit_filters[0][1]", 0),
    ]


def test_exit_filter_only_when_its_rule_is_on(sandbox: Sandbox) -> None:
    """Exit filters refuse a contact only if the series lists their rule."""
    sandbox.series(**BY_PLAN, settings={"exit_filters": PRO})
    sandbox.pro("ann")
    assert sandbox.explain("ann").code == "awaiting_evaluation"


def test_company_already_enrolled_names_who_has_the_seat(sandbox: Sandbox) -> None:
    """The seat is free when that contact's enrollment ends."""
    acme = sandbox.company("acme")
    sandbox.pro("ann", company_id=acme)
    sandbox.series(**BY_PLAN, settings={"one_per_company": True})
    sandbox.pro("bob", company_id=acme)
    sandbox.pro("cyd")
    answer = sandbox.explain("bob")
    assert answer.code == "company_already_enrolled"
    assert answer.why == (
        "The series takes one contact of each company, and ‘ann’ has been in it since "
        "2026-06-01 09:00 UTC."
    )
    assert answer.change == "The enrollment of ‘ann’ has to end."
    assert sandbox.explain("cyd").code == "awaiting_evaluation"

    sandbox.end("ann")
    assert sandbox.explain("bob").code == "awaiting_evaluation"


def test_awaiting_evaluation_says_when(sandbox: Sandbox) -> None:
    """The next re-evaluation by the organisation's cron will enroll the contact."""
    sandbox.series(**BY_PLAN)
    sandbox.wait(minutes=5)
    sandbox.pro("ann")
    answer = sandbox.explain("ann")
    assert answer.code == "awaiting_evaluation"
    assert answer.until == NOW + timedelta(minutes=15)

    sandbox.wait(hours=1)
    assert sandbox.explain("ann").until == NOW + timedelta(minutes=65)


def test_trigger_not_fired_of_a_manual_series(sandbox: Sandbox) -> None:
    """Contacts that match later are not added."""
    sandbox.add("ann")
    sandbox.series(entry_trigger="manual")
    sandbox.wait(minutes=1)
    sandbox.add("bob")
    answer = sandbox.explain("bob")
    assert answer.code == "trigger_not_fired"
    assert answer.why == (
        "A manual series enrolls who matches when it is activated, which was on "
        "2026-06-01 09:00 UTC."
    )


def test_trigger_not_fired_of_a_series_for_new_contacts(sandbox: Sandbox) -> None:
    """Explain says whether it was created before the series was active, or silently."""
    sandbox.add("old")
    sandbox.wait(hours=1)
    sandbox.series(entry_trigger="user_created")
    sandbox.add("silent")
    assert sandbox.codes() == {"old": "trigger_not_fired", "silent": "trigger_not_fired"}
    assert sandbox.explain("old").why == (
        "It was created on 2026-06-01 09:00 UTC, when the series was not active."
    )
    assert sandbox.explain("silent").why == (
        "It was created on 2026-06-01 10:00 UTC, through a door that is silent."
    )


def test_trigger_not_fired_of_an_event(sandbox: Sandbox) -> None:
    """The event never fired, or only as history."""
    sandbox.series(entry_trigger="event", settings={"entry_event_name": "go"})
    sandbox.add("ann", "bob")
    sandbox.fires("bob", "go", live=False)
    assert sandbox.codes() == {"ann": "trigger_not_fired", "bob": "trigger_not_fired"}
    assert sandbox.explain("ann").why == "The event ‘go’ has never fired for it."
    assert sandbox.explain("bob").why == (
        "The event ‘go’ fired for it, the last time on 2026-06-01 09:00 UTC, but never live while "
        "the series was active."
    )


def test_trigger_not_fired_again_after_an_enrollment(sandbox: Sandbox) -> None:
    """A contact that may enter again needs another trigger."""
    sandbox.series(entry_trigger="event", settings={"entry_event_name": "go", **AGAIN})
    sandbox.add("ann")
    sandbox.fires("ann", "go")
    sandbox.end("ann")
    answer = sandbox.explain("ann")
    assert answer.code == "trigger_not_fired"
    assert answer.why.endswith("(manual). The event ‘go’ has not brought it again since.")


def test_trigger_not_fired_names_the_entry_filter_that_failed(sandbox: Sandbox) -> None:
    """The latest live event is judged, by the filters as they are now (§21)."""
    filters = [
        [{"field": "event.amount", "operator": "gte", "value": 100}],
        [
            {"field": "event.amount", "operator": "gte", "value": 1},
            {"field": "event.plan", "operator": "is", "value": "pro"},
        ],
    ]
    settings = {"entry_event_name": "go", "entry_event_filters": filters, **AGAIN}
    sandbox.series(entry_trigger="event", settings=settings)
    sandbox.add("ann", "bob")
    sandbox.tracks("ann", "go", amount=500)
    sandbox.end("ann")
    sandbox.wait(minutes=1)
    sandbox.tracks("ann", "go", amount=5)
    answer = sandbox.explain("ann")
    assert answer.code == "trigger_not_fired"
    assert answer.why.endswith(
        "(manual). The event ‘go’ fired for it on 2026-06-01 09:01 UTC, but did not hold the entry "
        "filters: event.amount is 5; or event.plan is missing."
    )
    assert answer.change == (
        "The event ‘go’ has to fire while the series is active. Needed: event.amount is at least "
        "100; or event.plan is ‘pro’."
    )
    assert [(each.place, each.seen, each.missing) for each in answer.filters] == [
        ("entry_event_filters[0][0]", 5, False),
        ("entry_event_filters[1][1]", None, True),
    ]
    assert sandbox.explain("bob").why == "The event ‘go’ has never fired for it."


# Kept refusals.


def test_a_kept_refusal_outlives_its_reason(sandbox: Sandbox) -> None:
    """A refusal at the trigger stays, even if the contact would enter now."""
    sandbox.series(entry_trigger="event", settings={"entry_event_name": "go"}, **BY_PLAN)
    sandbox.add("ann")
    sandbox.fires("ann", "go")
    sandbox.wait(minutes=1)
    sandbox.change("ann", custom_fields={"plan": "pro"})
    answer = sandbox.explain("ann")
    assert (answer.code, answer.refused_at) == ("audience_mismatch", NOW)
    assert answer.why == (
        "The trigger fired on 2026-06-01 09:00 UTC and was refused: the audience did not hold. "
        "Nothing would refuse it now."
    )
    assert answer.change == "Then the event ‘go’ has to fire again."
    assert answer.filters == ()


def test_a_kept_refusal_says_what_would_refuse_now(sandbox: Sandbox) -> None:
    """It names the filter and the current value."""
    sandbox.series(entry_trigger="user_created", **BY_PLAN)
    sandbox.add("ann")
    sandbox.created("ann")
    answer = sandbox.explain("ann")
    assert answer.why == (
        "It was created on 2026-06-01 09:00 UTC and was refused: the audience did not hold. "
        "As it stands now: The audience filter does not hold: plan is missing."
    )
    assert answer.change == (
        "Needed: plan is ‘pro’. A missing value matches nothing. A contact is created only once: "
        "this series will not take it any more."
    )
    assert [each.place for each in answer.filters] == ["audience_filters[0][0]"]


def test_a_kept_refusal_is_hidden_while_the_series_is_not_active(sandbox: Sandbox) -> None:
    """The order of §4: not active comes first."""
    sandbox.series(entry_trigger="user_created", **BY_PLAN)
    sandbox.add("ann")
    sandbox.created("ann")
    sandbox.pause()
    assert sandbox.explain("ann").code == "series_not_active"
    sandbox.resume()
    assert sandbox.explain("ann").code == "audience_mismatch"


def test_a_kept_refusal_is_overtaken_by_an_enrollment(sandbox: Sandbox) -> None:
    """After a later enrollment the current guards answer, even within one instant."""
    sandbox.series(entry_trigger="user_created", **BY_PLAN, settings={"reenroll_delay_days": 1})
    sandbox.add("ann")
    sandbox.created("ann")
    sandbox.change("ann", custom_fields={"plan": "pro"})
    sandbox.created("ann")
    sandbox.end("ann")
    answer = sandbox.explain("ann")
    assert (answer.code, answer.refused_at) == ("already_enrolled", None)


def test_segment_match_keeps_no_refusals(sandbox: Sandbox) -> None:
    """The current guards answer."""
    sandbox.series(**BY_PLAN)
    sandbox.add("ann")
    sandbox.changed("ann", "custom:plan")
    sandbox.change("ann", custom_fields={"plan": "pro"})
    assert sandbox.explain("ann").code == "awaiting_evaluation"


def test_address_already_enrolled_names_who_has_the_address(sandbox: Sandbox) -> None:
    """The earliest run with the address is named; the address is free when its last run ends."""
    sandbox.pro("ann", email="X@a.example")
    sandbox.series(**BY_PLAN, settings={"one_per_address": True})
    sandbox.pro("bob", email="x@A.example")
    sandbox.pro("cyd")
    answer = sandbox.explain("bob")
    assert answer.code == "address_already_enrolled"
    assert answer.why == (
        "The series takes one contact of each address, and ‘ann’ has been in it with this address "
        "since 2026-06-01 09:00 UTC."
    )
    assert answer.change == "The enrollment of ‘ann’ has to end."
    assert sandbox.explain("cyd").code == "awaiting_evaluation"

    sandbox.end("ann")
    assert sandbox.explain("bob").code == "awaiting_evaluation"


def test_waiting_for_data_says_what_is_missing_and_until_when(sandbox: Sandbox) -> None:
    """Until the patience ends, explain names what the audience asks for; afterwards the refusal."""
    settings = {"entry_event_name": "go", "entry_patience": "30m"}
    sandbox.series(**{**BY_PLAN, "entry_trigger": "event", "settings": settings})
    sandbox.add("ann", email=None)
    sandbox.fires("ann", "go")
    answer = sandbox.explain("ann")
    assert (answer.code, answer.refused_at) == ("waiting_for_data", None)
    assert answer.until == NOW + timedelta(minutes=30)
    assert answer.why.startswith(
        "Its trigger came on 2026-06-01 09:00 UTC, and until 2026-06-01 09:30 UTC the series waits "
        "for what the audience asks for. The audience filter does not hold:"
    )
    assert answer.why.endswith("It has no email address.")
    assert [each.place for each in answer.filters] == ["audience_filters[0][0]"]
    ledger = sandbox.ledger()
    assert (ledger.buckets, ledger.waiting_outside) == ({}, 1)
    assert funnel(sandbox.work, sandbox.saved()).waiting == 1

    sandbox.wait(minutes=31)
    answer = sandbox.explain("ann")
    assert (answer.code, answer.refused_at) == ("audience_mismatch", NOW)
    assert sandbox.ledger().waiting_outside == 0
    assert funnel(sandbox.work, sandbox.saved()).waiting == 0


def test_a_stop_ends_the_waiting(sandbox: Sandbox) -> None:
    """Nobody waits for a series that is over."""
    settings = {"entry_event_name": "go", "entry_patience": "30m"}
    sandbox.series(**{**BY_PLAN, "entry_trigger": "event", "settings": settings})
    sandbox.add("ann")
    sandbox.fires("ann", "go")
    stop(sandbox.work, "s", "operator")
    waiting = select(func.count()).select_from(waiting_entries)
    assert sandbox.work.connection.scalar(waiting) == 0
    assert sandbox.explain("ann").code == "series_not_active"


# Sets.


def test_colleagues_who_wait_for_a_free_seat_are_explained_alike(sandbox: Sandbox) -> None:
    """With a free seat all get the same answer, explained together or alone."""
    acme = sandbox.company("acme")
    sandbox.series(**BY_PLAN, settings={"one_per_company": True})
    sandbox.pro("ann", "bob", company_id=acme)
    together = sandbox.codes()
    assert together == {"ann": "awaiting_evaluation", "bob": "awaiting_evaluation"}
    assert together == {name: sandbox.explain(name).code for name in sandbox.ids}
    assert sandbox.explain("bob").why == (
        "Nothing refuses it: the next re-evaluation enrolls it. Of several contacts of its "
        "company, the one that was created first enters."
    )


def test_answers_come_in_the_order_that_was_asked(sandbox: Sandbox) -> None:
    """A contact may be asked about twice."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    sandbox.add("bob")
    ids = [sandbox.ids[name] for name in ("bob", "ann", "bob")]
    assert [each.contact_id for each in explain(sandbox.work, sandbox.saved(), ids)] == ids
    assert explain(sandbox.work, sandbox.saved(), []) == []


def test_an_unknown_contact_is_a_404(sandbox: Sandbox) -> None:
    """A contact of another organisation is unknown too."""
    sandbox.series(**BY_PLAN)
    stranger = add_contact(new_organization(sandbox.work.connection), "ann")
    with pytest.raises(Refusal) as refusal:
        explain(sandbox.work, sandbox.saved(), [stranger])
    assert refusal.value.as_dict() == {
        "status": 404,
        "code": "unknown_contact",
        "message": f"There is no contact ‘{stranger}’.",
    }


def test_the_number_of_statements_does_not_grow_with_the_contacts(sandbox: Sandbox) -> None:
    """This holds for active contacts, for those a filter refuses, and for all others."""
    sandbox.pro("p1", "p2", "p3")
    sandbox.series(**BY_PLAN)
    sandbox.add("n1", "n2", "n3")
    sandbox.pro("w1", "w2", "w3")
    series = sandbox.saved()
    counts = []
    for names in (["p1", "n1", "w1"], list(sandbox.ids)):
        with statements(sandbox.work.connection) as seen:
            explain(sandbox.work, series, [sandbox.ids[name] for name in names])
        counts.append(len(seen))
    assert counts == [7, 7]


def test_an_explanation_is_ready_for_json(sandbox: Sandbox) -> None:
    """Instants are ISO 8601 with microseconds and an offset of ``+00:00``."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN, settings={**AGAIN, "reenroll_delay_days": 1})
    sandbox.end("ann")
    assert sandbox.explain("ann").model_dump(mode="json") == {
        "contact_id": str(sandbox.ids["ann"]),
        "contact": "ann",
        "series": "s",
        "code": "reenroll_delay",
        "why": "Enrollment 1 began on 2026-06-01 09:00 UTC and ended on 2026-06-01 09:00 UTC "
        "(manual). From the beginning of one enrollment to the next there have to be 1d.",
        "change": "Wait until 2026-06-02 09:00 UTC, or shorten the delay.",
        "refused_at": None,
        "until": "2026-06-02T09:00:00.000000+00:00",
        "filters": [],
        "position": None,
        "failed_mails": [],
        "once_active": None,
        "complete_since": None,
    }


def test_a_date_at_the_end_of_the_calendar_can_be_shown() -> None:
    """Ahead of UTC, the last second of the calendar would be in the year 10000."""
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert on_the_clock(end, ZoneInfo("Europe/Berlin")) == "9999-12-31 23:59 CET"

"""Diagnose: each filter counted over eligible contacts, and advice for each known cause (§10)."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from halo_engine.answers.diagnose.causes import Advice
from halo_engine.answers.diagnose.diagnose import Diagnosis, diagnose
from tests.answers.sandbox import BY_PLAN, Sandbox
from tests.contacts.sandbox import statements

OWNER = {"field": "custom:role", "operator": "is", "value": "owner"}
SINCE_MAY_27 = {"field": "signed_up_at", "operator": "after", "value": "2026-05-27"}
BACKFILL = (
    "For contacts that exist already, backfill it with the Update / Backfill API or a CSV import; "
    "do not loop identify, which bumps everybody's last_seen."
)


def asked(sandbox: Sandbox) -> Diagnosis:
    """Return the diagnosis of the series."""
    return diagnose(sandbox.work, sandbox.saved())


def counts(sandbox: Sandbox) -> list[tuple[str, int, int, int]]:
    """Return each filter's place, and how many pass alone, match without it, and lack the value."""
    return [
        (each.place, each.passes_alone, each.matches_without, each.missing)
        for each in asked(sandbox).filters
    ]


def advice(sandbox: Sandbox) -> list[tuple[str, str | None, int | None]]:
    """Return the causes, each with its field."""
    return [(each.cause.value, each.field, each.contacts) for each in asked(sandbox).advice]


def by_criteria(sandbox: Sandbox, *groups: list[dict[str, Any]], **definition: Any) -> None:
    """Save a draft with this audience; the advice about drafts is ignored."""
    sandbox.series(audience_type="segment", audience_filters=list(groups), **definition)


def signed_up(month: int, day: int) -> datetime:
    """Return an instant of 2026."""
    return datetime(2026, month, day, tzinfo=UTC)


#: What is counted and advised in the troubleshooting page's example.
COUNTED = [
    {
        "place": "audience_filters[0][0]",
        **OWNER,
        "passes_alone": 1,
        "matches_without": 2,
        "missing": 3,
    },
    {
        "place": "audience_filters[0][1]",
        **SINCE_MAY_27,
        "passes_alone": 2,
        "matches_without": 1,
        "missing": 1,
    },
]
ADVISED = [
    {
        "cause": "field_often_missing",
        "field": "custom:role",
        "contacts": 3,
        "text": "custom:role has no value for 3 of 4 "
        f"contacts. Pass ‘role’ in the traits of every identify. {BACKFILL}",
    },
    {
        "cause": "signed_up_at_empty",
        "field": "signed_up_at",
        "contacts": 1,
        "text": "signed_up_at is empty for 1 of 4 contacts, and a filter on it never falls "
        f"back to created_at. Pass ‘signed_up_at’ in the traits of every identify. "
        f"{BACKFILL}",
    },
    {
        "cause": "never_together",
        "field": None,
        "contacts": None,
        "text": "Every filter passes somebody, but nobody passes all of a group together.",
    },
    {
        "cause": "still_a_draft",
        "field": None,
        "contacts": None,
        "text": "The series is still a draft: it can match, but enrolls nobody until it is "
        "activated.",
    },
]


def test_sign_ups_today_but_0_matched(sandbox: Sandbox) -> None:
    """The troubleshooting page's example: identify never sent a role."""
    sandbox.add("earlier", signed_up_at=signed_up(3, 1), custom_fields={"role": "owner"})
    sandbox.add("one", signed_up_at=signed_up(5, 27))
    sandbox.add("two", signed_up_at=signed_up(5, 27))
    sandbox.add("three", custom_fields={"intercom_role": "user"})
    sandbox.register("role", "intercom_role", "seats")
    by_criteria(sandbox, [OWNER, SINCE_MAY_27], contact_type="user", active=False)

    shown = asked(sandbox).model_dump(
        mode="json", exclude={"advice": {"__all__": {"values", "near"}}}
    )
    assert shown == {
        "series": "s",
        "matched": 0,
        "eligible": 4,
        "filters": COUNTED,
        "advice": ADVISED,
    }


# The numbers.


def test_other_groups_stay_when_a_filter_is_taken_out(sandbox: Sandbox) -> None:
    """Without a filter, the rest of its group and the other groups still apply."""
    sandbox.add("ann", custom_fields={"role": "owner"})
    sandbox.add("bob", custom_fields={"role": "owner", "seats": 12})
    sandbox.add("cyd", custom_fields={"role": "member", "seats": 3})
    sandbox.add("dee", mrr=100)
    seats = {"field": "custom:seats", "operator": "gte", "value": 10}
    mrr = {"field": "mrr", "operator": "gt", "value": 50}
    by_criteria(sandbox, [OWNER, seats], [mrr])
    assert asked(sandbox).matched == 2
    assert counts(sandbox) == [
        ("audience_filters[0][0]", 2, 2, 1),
        ("audience_filters[0][1]", 1, 3, 2),
        ("audience_filters[1][0]", 1, 4, 3),
    ]


def test_a_group_left_empty_keeps_nobody_out(sandbox: Sandbox) -> None:
    """Without the only filter, everybody eligible would match."""
    sandbox.add("ann", "bob")
    by_criteria(sandbox, [OWNER])
    assert counts(sandbox) == [("audience_filters[0][0]", 0, 2, 2)]


def test_only_the_right_type_and_the_unsuppressed_are_looked_at(sandbox: Sandbox) -> None:
    """Only eligible contacts are counted: the right type, and not suppressed."""
    role = {"custom_fields": {"role": "owner"}}
    sandbox.add("ann", **role)
    sandbox.add("bob")
    sandbox.add("lea", external_id=None, **role)
    sandbox.add("gone", **role)
    sandbox.suppress("gone")
    by_criteria(sandbox, [OWNER], contact_type="user")
    assert (asked(sandbox).matched, asked(sandbox).eligible) == (1, 2)
    assert counts(sandbox) == [("audience_filters[0][0]", 1, 2, 1)]


@pytest.mark.parametrize(
    ("field", "operator", "value", "stored", "missing"),
    [
        ("custom:x", "is", "a", ["a", "b", "", 1, True, None, ["a"], {"a": 1}], 6),
        ("custom:x", "is", "a", ["true", "tea", "fee", "5", "-", "[b", "{", "é", False, -2.5], 3),
        ("custom:x", "is_not", "a", ["a", "b", 1, None], 3),
        ("custom:x", "contains", "a", ["ab", "b", 1, None], 3),
        ("custom:x", "gt", 1, [0, 2.5, "3", True, None], 4),
        ("custom:x", "is", True, [True, False, "true", 1, None], 4),
        ("custom:x", "after", "2026-01-01", ["2025-05-05", "2026-05-05T10:00", "soon", 1, None], 4),
    ],
)
def test_a_value_of_another_type_is_missing(
    sandbox: Sandbox, field: str, operator: str, value: Any, stored: list[Any], missing: int
) -> None:
    """Null counts as missing, and so does text that is no date where a date is compared."""
    for n, each in enumerate(stored):
        sandbox.add(f"c{n}", custom_fields={"x": each})
    sandbox.add("without")
    by_criteria(sandbox, [{"field": field, "operator": operator, "value": value}])
    assert [each.missing for each in asked(sandbox).filters] == [missing]


def test_missing_values_of_every_entity(sandbox: Sandbox) -> None:
    """Without a company, all company fields are missing; an event count never is."""
    acme = sandbox.company("acme", custom_fields={"tier": "gold"})
    sandbox.add("ann", company_id=acme, stripe_plan="basic", mrr=5)
    sandbox.add("bob", company_id=sandbox.company("empty"))
    sandbox.add("cyd")
    sandbox.add("lea", external_id=None, name="Lea")
    fields = [
        ("mrr", "gt", 1, 3),
        ("company.custom:tier", "is", "gold", 3),
        ("company.external_id", "is", "acme", 2),
        ("stripe:plan", "is", "basic", 3),
        ("lead:name", "is", "Lea", 3),
        ("lead:email", "contains", "@", 3),
        ("event:login", "is", 0, 0),
    ]
    by_criteria(sandbox, *[[{"field": f, "operator": o, "value": v}] for f, o, v, _ in fields])
    assert [each.missing for each in asked(sandbox).filters] == [missing for *_, missing in fields]


def test_any_number_of_filters(sandbox: Sandbox) -> None:
    """Each filter is counted by itself, at any position."""
    sandbox.add("none")
    for number in range(5):
        sandbox.add(f"c{number}", custom_fields={"n": number})
    wanted = [n % 6 for n in range(70)]
    by_criteria(sandbox, *[[{"field": "custom:n", "operator": "gte", "value": n}] for n in wanted])
    assert counts(sandbox) == [
        (f"audience_filters[{place}][0]", 5 - n, 6, 1) for place, n in enumerate(wanted)
    ]


# The advice.


def test_nothing_to_advise_when_all_is_well(sandbox: Sandbox) -> None:
    """Everybody matches an active series."""
    sandbox.pro("ann")
    sandbox.series(**BY_PLAN)
    assert asked(sandbox).advice == ()


def test_a_field_that_was_never_sent(sandbox: Sandbox) -> None:
    """A field that was never sent is missing for everybody, and the advice says so."""
    sandbox.add("ann", "bob")
    by_criteria(sandbox, [OWNER])
    assert asked(sandbox).advice == (
        Advice.model_validate(
            {
                "cause": "field_never_sent",
                "field": "custom:role",
                "contacts": 2,
                "text": "No contact has a value for custom:role. "
                f"Pass ‘role’ in the traits of every identify. {BACKFILL}",
            }
        ),
    )


def test_look_alikes_in_other_places(sandbox: Sandbox) -> None:
    """A column, a Stripe field or a company field may be meant instead of a custom field."""
    acme = sandbox.company("acme", custom_fields={"plan": "pro"})
    sandbox.add("ann", company_id=acme, stripe_plan="pro", custom_fields={"currentPlan": "pro"})
    sandbox.add("bob", stripe_plan="pro")
    sandbox.register("currentPlan", "planet", "unrelated")
    sandbox.register("plan", entity="company")
    sandbox.series(**BY_PLAN)
    assert advice(sandbox) == [
        ("field_never_sent", "plan", 2),
        ("look_alike_field", "company.custom:plan", 1),
        ("look_alike_field", "stripe:plan", 2),
        ("look_alike_field", "custom:currentPlan", 1),
    ]


def test_a_value_that_nobody_has(sandbox: Sandbox) -> None:
    """Every contact has a role, but none has the filter's."""
    sandbox.add("ann", custom_fields={"role": "Owner"})
    by_criteria(sandbox, [OWNER])
    assert advice(sandbox) == [("nobody_passes", "custom:role", 0)]


def test_contact_type(sandbox: Sandbox) -> None:
    """Counts contacts in the audience that only their type keeps out."""
    sandbox.pro("lea", "lou", external_id=None)
    sandbox.pro("gone", external_id=None)
    sandbox.suppress("gone")
    sandbox.series(contact_type="user", **BY_PLAN)
    assert asked(sandbox).advice == (
        Advice.model_validate(
            {
                "cause": "contact_type",
                "contacts": 2,
                "text": "For 2 contacts the audience holds, but the series is for users only. "
                "A lead counts once it is identified with a user ID.",
            }
        ),
    )


def test_suppression(sandbox: Sandbox) -> None:
    """Counts contacts in the audience that only their suppression keeps out."""
    sandbox.pro("ann", "bob")
    sandbox.suppress("ann", "unsubscribed_at")
    sandbox.series(**BY_PLAN)
    assert advice(sandbox) == [("suppression", None, 1)]


def test_a_list_without_subscribers(sandbox: Sandbox) -> None:
    """An empty list is named; a series without a list is another cause."""
    sandbox.add("ann")
    sandbox.list("news")
    of_a_list: dict[str, Any] = {"entry_trigger": "event", "audience_type": "subscription"}
    sandbox.series(active=False, **of_a_list, subscription="news")
    assert (
        asked(sandbox).advice[0].text == "The list ‘news’ has no subscribers: they have to opt in."
    )
    assert advice(sandbox) == [("empty_list", None, None), ("still_a_draft", None, None)]
    sandbox.series(active=False, **of_a_list)
    assert advice(sandbox) == [("no_list", None, None), ("still_a_draft", None, None)]


def test_a_list_whose_subscribers_are_kept_out_is_not_empty(sandbox: Sandbox) -> None:
    """The cause is the suppression, not the list."""
    sandbox.add("ann")
    sandbox.list("news", "ann")
    sandbox.suppress("ann")
    sandbox.series(entry_trigger="user_created", audience_type="subscription", subscription="news")
    assert advice(sandbox) == [("suppression", None, 1)]


def test_an_empty_stripe_set(sandbox: Sandbox) -> None:
    """A Stripe filter that nobody passes empties the audience."""
    sandbox.add("ann", stripe_subscription_status="active")
    sandbox.add("bob")
    trial = {"field": "stripe:subscription_status", "operator": "is", "value": "trialing"}
    by_criteria(sandbox, [trial])
    assert asked(sandbox).advice == (
        Advice.model_validate(
            {
                "cause": "empty_stripe_set",
                "field": "stripe:subscription_status",
                "contacts": 1,
                "text": "No contact passes stripe:subscription_status is ‘trialing’: Stripe has "
                "told nothing of 1 of 2 contacts. Check that Stripe is connected and synced, and "
                "the value that the filter wants. Seen most: ‘active’ (1).",
                "values": [{"value": "active", "contacts": 1}],
            }
        ),
    )


def test_an_empty_company_set(sandbox: Sandbox) -> None:
    """A company filter that nobody passes gets the same advice."""
    sandbox.add("ann")
    by_criteria(sandbox, [{"field": "company.mrr", "operator": "gt", "value": 0}])
    assert advice(sandbox) == [("empty_company_set", "company.mrr", 1)]


def test_contacts_without_an_address(sandbox: Sandbox) -> None:
    """The audience ‘all’ is every contact with an email."""
    sandbox.add("ann", email=None)
    sandbox.series(entry_trigger="user_created")
    assert advice(sandbox) == [("no_address", None, 1)]
    assert asked(sandbox).filters == ()


def test_no_contacts_and_no_filter(sandbox: Sandbox) -> None:
    """Before the first identify there are no contacts."""
    sandbox.series(active=False, audience_type="segment")
    assert advice(sandbox) == [
        ("no_contacts", None, None),
        ("no_filter", None, None),
        ("still_a_draft", None, None),
    ]


def test_the_contacts_are_passed_over_once(sandbox: Sandbox) -> None:
    """For any number of filters: one statement for the fields, one for the contacts."""
    sandbox.pro("ann")
    numbers = []
    for filters in ([OWNER], [OWNER, SINCE_MAY_27] * 10):
        by_criteria(sandbox, filters, active=False)
        series = sandbox.saved()
        with statements(sandbox.work.connection) as seen:
            diagnose(sandbox.work, series)
        numbers.append(len(seen))
    assert numbers == [2, 2]


# The values that there are.


def said(sandbox: Sandbox, cause: str) -> Advice:
    """Return the one advice about this cause."""
    [found] = [each for each in asked(sandbox).advice if each.cause.value == cause]
    return found


def test_a_value_in_other_letters_is_named(sandbox: Sandbox) -> None:
    """``Pro`` is wanted, ``pro`` is stored: the near value is named with the most frequent ones."""
    sandbox.pro("ann", "bob")
    sandbox.add("cyd", custom_fields={"plan": "free"})
    by_criteria(sandbox, [{"field": "plan", "operator": "is", "value": "Pro"}])
    found = said(sandbox, "nobody_passes")
    assert found.text == (
        "No contact passes plan is ‘Pro’. Seen most: ‘pro’ (2), ‘free’ (1). Did you mean ‘pro’? "
        "Upper and lower case, spaces and signs count."
    )
    assert (found.field, found.near) == ("plan", ("pro",))


@pytest.mark.parametrize(
    ("wanted", "stored", "near"),
    [
        ("up for renewal", "up_for_renewal", ("up_for_renewal",)),
        ("enterprize", "enterprise", ("enterprise",)),
        ("Owner ", "owner", ("owner",)),
        ("gold", "silver", ()),
    ],
)
def test_values_that_are_near(
    sandbox: Sandbox, wanted: str, stored: str, near: tuple[str, ...]
) -> None:
    """Nearly equal values are near; others are only listed as frequent."""
    sandbox.add("ann", custom_fields={"x": stored})
    by_criteria(sandbox, [{"field": "custom:x", "operator": "is", "value": wanted}])
    found = said(sandbox, "nobody_passes")
    assert found.near == near
    assert [each.value for each in found.values] == [stored]


def test_a_number_stored_as_text(sandbox: Sandbox) -> None:
    """Advice names the stored values, and the value that would match."""
    sandbox.add("ann", custom_fields={"seats": "12"})
    sandbox.add("bob", custom_fields={"seats": "3"})
    by_criteria(sandbox, [{"field": "custom:seats", "operator": "is", "value": 12}])
    assert advice(sandbox) == [("other_type", "custom:seats", 2)]
    found = said(sandbox, "other_type")
    assert found.text == (
        "For 2 contacts custom:seats is stored, but not as a number, which custom:seats is 12 "
        "compares. Seen most: ‘12’ (1), ‘3’ (1). Did you mean ‘12’? Send numbers without quotes "
        '(12, not "12").'
    )
    assert found.near == ("12",)


def test_numbers_beside_the_filter_are_given_as_a_span(sandbox: Sandbox) -> None:
    """Numbers have no near value, so the advice names the smallest and the largest stored
    number.
    """
    for number in (3, 10, 7):
        sandbox.add(f"c{number}", custom_fields={"seats": number})
    by_criteria(sandbox, [{"field": "custom:seats", "operator": "gt", "value": 50}])
    assert said(sandbox, "nobody_passes").text.endswith(" They lie between 3 and 10.")


def test_only_sizes_have_a_span_and_numbers_are_not_spelled(sandbox: Sandbox) -> None:
    """One stored number is no span, and a number is no misspelling of another."""
    sandbox.add("ann", custom_fields={"x": "pro", "n": 120}, stripe_plan="pro")
    by_criteria(
        sandbox, [{"field": "custom:x", "operator": "is_not", "value": "pro"}], active=False
    )
    assert said(sandbox, "nobody_passes").text == (
        "No contact passes custom:x is_not ‘pro’. Seen most: ‘pro’ (1)."
    )
    by_criteria(sandbox, [{"field": "custom:n", "operator": "is", "value": 12}], active=False)
    assert (said(sandbox, "nobody_passes").near, len(said(sandbox, "nobody_passes").values)) == (
        (),
        1,
    )
    by_criteria(sandbox, [{"field": "stripe:plan", "operator": "is", "value": "Pro"}], active=False)
    assert said(sandbox, "empty_stripe_set").near == ("pro",)


def test_a_filter_for_nothing_names_what_is_there(sandbox: Sandbox) -> None:
    """Nobody lacks the value, so the advice names those that are stored (contract §22)."""
    for name in ("ann", "bob"):
        sandbox.add(name, custom_fields={"plan": "pro", "plans": 3})
    by_criteria(sandbox, [{"field": "plan", "operator": "is_empty"}])
    assert said(sandbox, "nobody_passes").text == (
        "No contact passes plan is_empty. Seen most: ‘pro’ (2)."
    )


def test_a_field_of_another_spelling_that_has_the_value(sandbox: Sandbox) -> None:
    """If ``custom:job_title`` has the value that ``custom:jobtitle`` lacks, the advice names it."""
    sandbox.add("ann", "bob", custom_fields={"job_title": "CTO"})
    sandbox.add("cyd", custom_fields={"jobtitle": "VP"})
    sandbox.register("job_title", "jobtitle")
    by_criteria(
        sandbox, [{"field": "custom:jobtitle", "operator": "is", "value": "CTO"}], active=False
    )
    found = said(sandbox, "look_alike_field")
    assert found.text == (
        "custom:job_title has a value for 2 contacts, but is another field: a filter on "
        "custom:jobtitle does not read it. With it, this filter would pass 2 contacts."
    )
    by_criteria(
        sandbox, [{"field": "custom:job_title", "operator": "is", "value": "CTO"}], active=False
    )
    assert "look_alike_field" not in [cause for cause, *_ in advice(sandbox)]


def test_intercoms_role_is_not_the_apps(sandbox: Sandbox) -> None:
    """If the app never sent a role, the field that has one is named."""
    sandbox.add("ann", custom_fields={"intercom_role": "user"})
    sandbox.register("intercom_role")
    by_criteria(sandbox, [OWNER])
    assert advice(sandbox) == [
        ("field_never_sent", "custom:role", 1),
        ("look_alike_field", "custom:intercom_role", 1),
    ]


def test_an_event_that_never_fired(sandbox: Sandbox) -> None:
    """Events of similar names are named, else the most frequent."""
    sandbox.add("ann")
    sandbox.fires("ann", "trial_started")
    by_criteria(
        sandbox, [{"field": "event:trial-started", "operator": "gt", "value": 0}], active=False
    )
    found = said(sandbox, "event_never_fired")
    assert found.near == ("event:trial_started",)
    by_criteria(sandbox, [{"field": "event:paid", "operator": "gt", "value": 0}], active=False)
    assert said(sandbox, "event_never_fired").text == (
        "No contact passes event:paid gt 0: the event ‘paid’ never fired. Those that did: "
        "‘trial_started’."
    )
    by_criteria(
        sandbox, [{"field": "event:trial_started", "operator": "gt", "value": 5}], active=False
    )
    assert [cause for cause, *_ in advice(sandbox)] == ["still_a_draft"]


def test_values_of_those_who_cannot_match_are_not_named(sandbox: Sandbox) -> None:
    """Values of leads or suppressed contacts are not named: with them nobody would match."""
    sandbox.pro("lea", external_id=None)
    sandbox.pro("gone")
    sandbox.suppress("gone")
    sandbox.add("ann", custom_fields={"plan": "free"})
    by_criteria(sandbox, [{"field": "plan", "operator": "is", "value": "Pro"}], contact_type="user")
    assert [each.value for each in said(sandbox, "nobody_passes").values] == ["free"]


def test_following_an_advice_never_leads_back(sandbox: Sandbox) -> None:
    """Following the advice again and again never repeats a filter, and ends."""
    rng = Random(7)
    fields = ["plan", "Plan", "plan_name", "planName", "current_plan"]
    values = ["pro", "Pro", "PRO", "12", 12, 12.5, True, None, "free", "fre"]
    for number in range(40):
        kept = {name: rng.choice(values) for name in fields if rng.random() < 0.5}
        sandbox.add(f"c{number}", custom_fields=kept, stripe_plan=rng.choice(["pro", "Pro", None]))
    sandbox.register(*fields)
    begun = 0
    for field in ("custom:plan", "custom:Plan", "custom:planName", "stripe:plan"):
        for value in ("PrO", "fre e") if field == "custom:plan" else ("PrO",):
            waiting: list[tuple[str, Any, tuple[Any, ...]]] = [(field, value, ())]
            walked = 0
            while waiting:
                at, wanted, before = waiting.pop()
                walked += 1
                by_criteria(
                    sandbox, [{"field": at, "operator": "is", "value": wanted}], active=False
                )
                path = (*before, (at, type(wanted), wanted))
                for advised in asked(sandbox).advice:
                    steps: list[tuple[str, Any]] = [(at, each) for each in advised.near]
                    if advised.cause == "look_alike_field":
                        steps.append((str(advised.field), wanted))
                    for name, next_value in steps:
                        assert (name, type(next_value), next_value) not in path, path
                        waiting.append((name, next_value, path))
            begun += walked > 1
    assert begun == 5


def test_lists_and_series_are_counted_and_never_missing(sandbox: Sandbox) -> None:
    """A filter on a list or a series counts as any other, nobody lacks its value, and explain shows
    the value that it saw (contract §22).
    """
    sandbox.add("ann", "bob", "cyd")
    sandbox.list("news", "ann")
    is_on = {"field": "list:news", "operator": "is", "value": True}
    is_done = {"field": "series:other", "operator": "is", "value": "completed"}
    by_criteria(sandbox, [is_on, is_done])
    assert counts(sandbox) == [
        ("audience_filters[0][0]", 1, 0, 0),
        ("audience_filters[0][1]", 0, 1, 0),
    ]
    assert [(each.place, each.seen, each.missing) for each in sandbox.explain("bob").filters] == [
        ("audience_filters[0][0]", False, False),
        ("audience_filters[0][1]", "never", False),
    ]

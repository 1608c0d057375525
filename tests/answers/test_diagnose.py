"""Diagnose: each filter counted over eligible contacts, and advice for each known cause (§10)."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import event

from halo_engine.answers.causes import Advice
from halo_engine.answers.diagnose import Diagnosis, diagnose
from tests.answers.stage import BY_PLAN, Stage
from tests.contacts.stage import statements

OWNER = {"field": "custom:role", "operator": "is", "value": "owner"}
SINCE_MAY_27 = {"field": "signed_up_at", "operator": "after", "value": "2026-05-27"}
BACKFILL = (
    "For contacts that exist already, backfill it with the Update / Backfill API or a CSV import; "
    "do not loop identify, which bumps everybody's last_seen."
)


def asked(stage: Stage) -> Diagnosis:
    """Return the diagnosis of the series."""
    return diagnose(stage.work, stage.saved())


def counts(stage: Stage) -> list[tuple[str, int, int, int]]:
    """Return each filter's place, and how many pass alone, match without it, and lack the value."""
    return [
        (each.place, each.passes_alone, each.matches_without, each.missing)
        for each in asked(stage).filters
    ]


def advice(stage: Stage) -> list[tuple[str, str | None, int | None]]:
    """Return the causes, each with its field."""
    return [(each.cause.value, each.field, each.contacts) for each in asked(stage).advice]


def by_criteria(stage: Stage, *groups: list[dict[str, Any]], **definition: Any) -> None:
    """Save a draft with this audience; the advice about drafts is ignored."""
    stage.series(audience_type="segment", audience_filters=list(groups), **definition)


def signed_up(month: int, day: int) -> datetime:
    """Return an instant of 2026."""
    return datetime(2026, month, day, tzinfo=UTC)


def test_sign_ups_today_but_0_matched(stage: Stage) -> None:
    """The troubleshooting page's example: identify never sent a role."""
    stage.add("earlier", signed_up_at=signed_up(3, 1), custom_fields={"role": "owner"})
    stage.add("one", signed_up_at=signed_up(5, 27))
    stage.add("two", signed_up_at=signed_up(5, 27))
    stage.add("three", custom_fields={"intercom_role": "user"})
    stage.register("role", "intercom_role", "seats")
    by_criteria(stage, [OWNER, SINCE_MAY_27], contact_type="user", active=False)

    assert asked(stage).model_dump(
        mode="json", exclude={"advice": {"__all__": {"values", "near"}}}
    ) == {
        "series": "s",
        "matched": 0,
        "eligible": 4,
        "filters": [
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
        ],
        "advice": [
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
        ],
    }


# The numbers.


def test_other_groups_stay_when_a_filter_is_taken_out(stage: Stage) -> None:
    """Without a filter, the rest of its group and the other groups still apply."""
    stage.add("ann", custom_fields={"role": "owner"})
    stage.add("bob", custom_fields={"role": "owner", "seats": 12})
    stage.add("cyd", custom_fields={"role": "member", "seats": 3})
    stage.add("dee", mrr=100)
    seats = {"field": "custom:seats", "operator": "gte", "value": 10}
    mrr = {"field": "mrr", "operator": "gt", "value": 50}
    by_criteria(stage, [OWNER, seats], [mrr])
    assert asked(stage).matched == 2
    assert counts(stage) == [
        ("audience_filters[0][0]", 2, 2, 1),
        ("audience_filters[0][1]", 1, 3, 2),
        ("audience_filters[1][0]", 1, 4, 3),
    ]


def test_a_group_left_empty_keeps_nobody_out(stage: Stage) -> None:
    """Without the only filter, everybody eligible would match."""
    stage.add("ann", "bob")
    by_criteria(stage, [OWNER])
    assert counts(stage) == [("audience_filters[0][0]", 0, 2, 2)]


def test_only_the_right_type_and_the_unsuppressed_are_looked_at(stage: Stage) -> None:
    """Only eligible contacts are counted."""
    role = {"custom_fields": {"role": "owner"}}
    stage.add("ann", **role)
    stage.add("bob")
    stage.add("lea", external_id=None, **role)
    stage.add("gone", **role)
    stage.suppress("gone")
    by_criteria(stage, [OWNER], contact_type="user")
    assert (asked(stage).matched, asked(stage).eligible) == (1, 2)
    assert counts(stage) == [("audience_filters[0][0]", 1, 2, 1)]


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
    stage: Stage, field: str, operator: str, value: Any, stored: list[Any], missing: int
) -> None:
    """Null counts as missing, and so does text that is no date where a date is compared."""
    for n, each in enumerate(stored):
        stage.add(f"c{n}", custom_fields={"x": each})
    stage.add("without")
    by_criteria(stage, [{"field": field, "operator": operator, "value": value}])
    assert [each.missing for each in asked(stage).filters] == [missing]


def test_missing_values_of_every_entity(stage: Stage) -> None:
    """Without a company, all company fields are missing; an event count never is."""
    acme = stage.company("acme", custom_fields={"tier": "gold"})
    stage.add("ann", company_id=acme, stripe_plan="basic", mrr=5)
    stage.add("bob", company_id=stage.company("empty"))
    stage.add("cyd")
    stage.add("lea", external_id=None, name="Lea")
    fields = [
        ("mrr", "gt", 1, 3),
        ("company.custom:tier", "is", "gold", 3),
        ("company.external_id", "is", "acme", 2),
        ("stripe:plan", "is", "basic", 3),
        ("lead:name", "is", "Lea", 3),
        ("lead:email", "contains", "@", 3),
        ("event:login", "is", 0, 0),
    ]
    by_criteria(stage, *[[{"field": f, "operator": o, "value": v}] for f, o, v, _ in fields])
    assert [each.missing for each in asked(stage).filters] == [missing for *_, missing in fields]


def test_any_number_of_filters(stage: Stage) -> None:
    """Each filter is counted by itself, at any position."""
    stage.add("none")
    for number in range(5):
        stage.add(f"c{number}", custom_fields={"n": number})
    wanted = [n % 6 for n in range(70)]
    by_criteria(stage, *[[{"field": "custom:n", "operator": "gte", "value": n}] for n in wanted])
    assert counts(stage) == [
        (f"audience_filters[{place}][0]", 5 - n, 6, 1) for place, n in enumerate(wanted)
    ]


# The advice.


def test_nothing_to_advise_when_all_is_well(stage: Stage) -> None:
    """Everybody matches an active series."""
    stage.pro("ann")
    stage.series(**BY_PLAN)
    assert asked(stage).advice == ()


def test_a_field_that_was_never_sent(stage: Stage) -> None:
    """Nobody has it."""
    stage.add("ann", "bob")
    by_criteria(stage, [OWNER])
    assert asked(stage).advice == (
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


def test_look_alikes_in_other_places(stage: Stage) -> None:
    """A column, a Stripe field or a company field may be meant instead of a custom field."""
    acme = stage.company("acme", custom_fields={"plan": "pro"})
    stage.add("ann", company_id=acme, stripe_plan="pro", custom_fields={"currentPlan": "pro"})
    stage.add("bob", stripe_plan="pro")
    stage.register("currentPlan", "planet", "unrelated")
    stage.register("plan", entity="company")
    stage.series(**BY_PLAN)
    assert advice(stage) == [
        ("field_never_sent", "plan", 2),
        ("look_alike_field", "company.custom:plan", 1),
        ("look_alike_field", "stripe:plan", 2),
        ("look_alike_field", "custom:currentPlan", 1),
    ]


def test_a_value_that_nobody_has(stage: Stage) -> None:
    """Every contact has a role, but none has the filter's."""
    stage.add("ann", custom_fields={"role": "Owner"})
    by_criteria(stage, [OWNER])
    assert advice(stage) == [("nobody_passes", "custom:role", 0)]


def test_contact_type(stage: Stage) -> None:
    """Counts contacts in the audience that only their type keeps out."""
    stage.pro("lea", "lou", external_id=None)
    stage.pro("gone", external_id=None)
    stage.suppress("gone")
    stage.series(contact_type="user", **BY_PLAN)
    assert asked(stage).advice == (
        Advice.model_validate(
            {
                "cause": "contact_type",
                "contacts": 2,
                "text": "For 2 contacts the audience holds, but the series is for users only. "
                "A lead counts once it is identified with a user ID.",
            }
        ),
    )


def test_suppression(stage: Stage) -> None:
    """Counts contacts in the audience that only their suppression keeps out."""
    stage.pro("ann", "bob")
    stage.suppress("ann", "unsubscribed_at")
    stage.series(**BY_PLAN)
    assert advice(stage) == [("suppression", None, 1)]


def test_a_list_without_subscribers(stage: Stage) -> None:
    """An empty list is named; a series without a list is another cause."""
    stage.add("ann")
    stage.list("news")
    of_a_list: dict[str, Any] = {"entry_trigger": "event", "audience_type": "subscription"}
    stage.series(active=False, **of_a_list, subscription="news")
    assert asked(stage).advice[0].text == "The list ‘news’ has no subscribers: they have to opt in."
    assert advice(stage) == [("empty_list", None, None), ("still_a_draft", None, None)]
    stage.series(active=False, **of_a_list)
    assert advice(stage) == [("no_list", None, None), ("still_a_draft", None, None)]


def test_a_list_whose_subscribers_are_kept_out_is_not_empty(stage: Stage) -> None:
    """The cause is the suppression, not the list."""
    stage.add("ann")
    stage.list("news", "ann")
    stage.suppress("ann")
    stage.series(entry_trigger="user_created", audience_type="subscription", subscription="news")
    assert advice(stage) == [("suppression", None, 1)]


def test_an_empty_stripe_set(stage: Stage) -> None:
    """A Stripe filter that nobody passes empties the audience."""
    stage.add("ann", stripe_subscription_status="active")
    stage.add("bob")
    trial = {"field": "stripe:subscription_status", "operator": "is", "value": "trialing"}
    by_criteria(stage, [trial])
    assert asked(stage).advice == (
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


def test_an_empty_company_set(stage: Stage) -> None:
    """A company filter that nobody passes does so too."""
    stage.add("ann")
    by_criteria(stage, [{"field": "company.mrr", "operator": "gt", "value": 0}])
    assert advice(stage) == [("empty_company_set", "company.mrr", 1)]


def test_contacts_without_an_address(stage: Stage) -> None:
    """The audience ‘all’ is every contact with an email."""
    stage.add("ann", email=None)
    stage.series(entry_trigger="user_created")
    assert advice(stage) == [("no_address", None, 1)]
    assert asked(stage).filters == ()


def test_no_contacts_and_no_filter(stage: Stage) -> None:
    """Before the first identify there are no contacts."""
    stage.series(active=False, audience_type="segment")
    assert advice(stage) == [
        ("no_contacts", None, None),
        ("no_filter", None, None),
        ("still_a_draft", None, None),
    ]


def test_the_contacts_are_passed_over_once(stage: Stage) -> None:
    """For any number of filters: one statement for the fields, one for the contacts."""
    stage.pro("ann")
    numbers = []
    for filters in ([OWNER], [OWNER, SINCE_MAY_27] * 10):
        by_criteria(stage, filters, active=False)
        series = stage.saved()
        with statements(stage.work.connection) as seen:
            diagnose(stage.work, series)
        numbers.append(len(seen))
    assert numbers == [2, 2]


def test_several_processes_can_share_the_work(stage: Stage) -> None:
    """PostgreSQL may scan the contacts in parallel, whatever the filters read."""
    fields = ("plan", "role", "email", "company.name", "company.custom:tier", "stripe:plan")
    wanted: list[dict[str, Any]] = [
        *({"field": each, "operator": "is", "value": "x"} for each in fields),
        SINCE_MAY_27,
        {"field": "event:login", "operator": "gt", "value": 1},
        {"field": "custom:trial", "operator": "before", "value": "2026-05-27"},
    ]
    by_criteria(stage, wanted, active=False)
    # So many that sharing them out is worth it, whatever the statistics say of the table.
    stage.add(*(f"c{number}" for number in range(500)))
    series, connection = stage.saved(), stage.work.connection
    for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        connection.exec_driver_sql(f"SET LOCAL {name} = 0")
    for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL {name} = off")
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        executed.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    diagnose(stage.work, series)
    event.remove(connection, "before_cursor_execute", note)
    [(question, values)] = [each for each in executed if "alike" in each[0]]
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {question}", values).scalars())
    assert "Parallel Seq Scan on end_users" in plan, plan


# The values that there are.


def said(stage: Stage, cause: str) -> Advice:
    """Return the one advice about this cause."""
    [found] = [each for each in asked(stage).advice if each.cause.value == cause]
    return found


def test_a_value_in_other_letters_is_named(stage: Stage) -> None:
    """``Pro`` is wanted, ``pro`` is stored: the near value is named with the most frequent ones."""
    stage.pro("ann", "bob")
    stage.add("cyd", custom_fields={"plan": "free"})
    by_criteria(stage, [{"field": "plan", "operator": "is", "value": "Pro"}])
    found = said(stage, "nobody_passes")
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
    stage: Stage, wanted: str, stored: str, near: tuple[str, ...]
) -> None:
    """Nearly equal values are near; others are only listed as frequent."""
    stage.add("ann", custom_fields={"x": stored})
    by_criteria(stage, [{"field": "custom:x", "operator": "is", "value": wanted}])
    found = said(stage, "nobody_passes")
    assert found.near == near
    assert [each.value for each in found.values] == [stored]


def test_a_number_stored_as_text(stage: Stage) -> None:
    """Advice names the stored values, and the value that would match."""
    stage.add("ann", custom_fields={"seats": "12"})
    stage.add("bob", custom_fields={"seats": "3"})
    by_criteria(stage, [{"field": "custom:seats", "operator": "is", "value": 12}])
    assert advice(stage) == [("other_type", "custom:seats", 2)]
    found = said(stage, "other_type")
    assert found.text == (
        "For 2 contacts custom:seats is stored, but not as a number, which custom:seats is 12 "
        "compares. Seen most: ‘12’ (1), ‘3’ (1). Did you mean ‘12’? Send numbers without quotes "
        '(12, not "12").'
    )
    assert found.near == ("12",)


def test_numbers_beside_the_filter_are_given_as_a_span(stage: Stage) -> None:
    """A size has no near value, so the span of the stored numbers is named."""
    for number in (3, 10, 7):
        stage.add(f"c{number}", custom_fields={"seats": number})
    by_criteria(stage, [{"field": "custom:seats", "operator": "gt", "value": 50}])
    assert said(stage, "nobody_passes").text.endswith(" They lie between 3 and 10.")


def test_only_sizes_have_a_span_and_numbers_are_not_spelled(stage: Stage) -> None:
    """A single stored value is no span; 120 is no misspelt 12."""
    stage.add("ann", custom_fields={"x": "pro", "n": 120}, stripe_plan="pro")
    by_criteria(stage, [{"field": "custom:x", "operator": "is_not", "value": "pro"}], active=False)
    assert said(stage, "nobody_passes").text == (
        "No contact passes custom:x is_not ‘pro’. Seen most: ‘pro’ (1)."
    )
    by_criteria(stage, [{"field": "custom:n", "operator": "is", "value": 12}], active=False)
    assert (said(stage, "nobody_passes").near, len(said(stage, "nobody_passes").values)) == ((), 1)
    by_criteria(stage, [{"field": "stripe:plan", "operator": "is", "value": "Pro"}], active=False)
    assert said(stage, "empty_stripe_set").near == ("pro",)


def test_a_field_of_another_spelling_that_has_the_value(stage: Stage) -> None:
    """``custom:jobtitle`` beside ``custom:job_title``: advice leads to the one that passes."""
    stage.add("ann", "bob", custom_fields={"job_title": "CTO"})
    stage.add("cyd", custom_fields={"jobtitle": "VP"})
    stage.register("job_title", "jobtitle")
    by_criteria(
        stage, [{"field": "custom:jobtitle", "operator": "is", "value": "CTO"}], active=False
    )
    found = said(stage, "look_alike_field")
    assert found.text == (
        "custom:job_title has a value for 2 contacts, but is another field: a filter on "
        "custom:jobtitle does not read it. With it, this filter would pass 2 contacts."
    )
    by_criteria(
        stage, [{"field": "custom:job_title", "operator": "is", "value": "CTO"}], active=False
    )
    assert "look_alike_field" not in [cause for cause, *_ in advice(stage)]


def test_intercoms_role_is_not_the_apps(stage: Stage) -> None:
    """If the app never sent a role, the field that has one is named."""
    stage.add("ann", custom_fields={"intercom_role": "user"})
    stage.register("intercom_role")
    by_criteria(stage, [OWNER])
    assert advice(stage) == [
        ("field_never_sent", "custom:role", 1),
        ("look_alike_field", "custom:intercom_role", 1),
    ]


def test_an_event_that_never_fired(stage: Stage) -> None:
    """Events of similar names are named, else the most frequent."""
    stage.add("ann")
    stage.fires("ann", "trial_started")
    by_criteria(
        stage, [{"field": "event:trial-started", "operator": "gt", "value": 0}], active=False
    )
    found = said(stage, "event_never_fired")
    assert found.near == ("event:trial_started",)
    by_criteria(stage, [{"field": "event:paid", "operator": "gt", "value": 0}], active=False)
    assert said(stage, "event_never_fired").text == (
        "No contact passes event:paid gt 0: the event ‘paid’ never fired. Those that did: "
        "‘trial_started’."
    )
    by_criteria(
        stage, [{"field": "event:trial_started", "operator": "gt", "value": 5}], active=False
    )
    assert [cause for cause, *_ in advice(stage)] == ["still_a_draft"]


def test_values_of_those_who_cannot_match_are_not_named(stage: Stage) -> None:
    """Values of leads or suppressed contacts are not named: with them nobody would match."""
    stage.pro("lea", external_id=None)
    stage.pro("gone")
    stage.suppress("gone")
    stage.add("ann", custom_fields={"plan": "free"})
    by_criteria(stage, [{"field": "plan", "operator": "is", "value": "Pro"}], contact_type="user")
    assert [each.value for each in said(stage, "nobody_passes").values] == ["free"]


def test_following_an_advice_never_leads_back(stage: Stage) -> None:
    """Following the advice again and again never repeats a filter, and ends."""
    rng = Random(7)
    fields = ["plan", "Plan", "plan_name", "planName", "current_plan"]
    values = ["pro", "Pro", "PRO", "12", 12, 12.5, True, None, "free", "fre"]
    for number in range(40):
        kept = {name: rng.choice(values) for name in fields if rng.random() < 0.5}
        stage.add(f"c{number}", custom_fields=kept, stripe_plan=rng.choice(["pro", "Pro", None]))
    stage.register(*fields)
    begun = 0
    for field in ("custom:plan", "custom:Plan", "custom:planName", "stripe:plan"):
        for value in ("pro", "PrO", "12", "fre e"):
            waiting: list[tuple[str, Any, tuple[Any, ...]]] = [(field, value, ())]
            walked = 0
            while waiting:
                at, wanted, before = waiting.pop()
                walked += 1
                by_criteria(stage, [{"field": at, "operator": "is", "value": wanted}], active=False)
                path = (*before, (at, type(wanted), wanted))
                for advised in asked(stage).advice:
                    steps: list[tuple[str, Any]] = [(at, each) for each in advised.near]
                    if advised.cause == "look_alike_field":
                        steps.append((str(advised.field), wanted))
                    for name, next_value in steps:
                        assert (name, type(next_value), next_value) not in path, path
                        waiting.append((name, next_value, path))
            begun += walked > 1
    assert begun > 10

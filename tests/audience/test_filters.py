"""A filter compares one value of a contact, and a missing value matches nothing (contract §3)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from halo_engine.audience.compiler import Subject, predicate
from halo_engine.audience.lookups.firings import Firings
from halo_engine.audience.moments import Moment
from halo_engine.domain.fields.filter_groups import parse_groups
from tests.audience.people import People
from tests.contacts.sandbox import NOW

HUGE = 2**63 - 1


def test_is_compares_text_exactly(people: People) -> None:
    """Case, spaces, accents and look-alikes tell one text from another."""
    people.add_with("name", same="Zoë", case="zoë", space="Zoë ", parts="Zoe\u0308", plain="Zoe")
    assert people.passing("name", "is", "Zoë") == "same"
    assert people.passing("name", "is_not", "Zoë") == "case parts plain space"


def test_custom_text_is_compared_exactly_too(people: People) -> None:
    """Text in a custom field is compared exactly, quotes and backslashes included."""
    people.add_traits("role", same='o"w\\ner', case='O"w\\ner', other="owner")
    assert people.passing("custom:role", "is", 'o"w\\ner') == "same"
    assert people.passing("role", "is_not", 'o"w\\ner') == "case other"


@pytest.mark.parametrize(
    ("operator", "value", "passing"),
    [
        ("is", 5, "five"),
        ("is", 5.0, "five"),
        ("gt", 5, "huge six"),
        ("gte", 5, "five huge six"),
        ("lt", 5, "less"),
        ("lte", 5, "five less"),
        ("is", 4.999999999999999, "less"),
        ("is", HUGE, "huge"),
        ("lt", HUGE, "five less six"),
    ],
)
@pytest.mark.parametrize("place", ["column", "custom field"])
def test_numbers_compare_exactly(
    people: People, place: str, operator: str, value: float, passing: str
) -> None:
    """Neither huge integers nor fractions are rounded, in columns and in custom fields."""
    numbers = {"less": 4.999999999999999, "five": 5, "six": 6, "huge": HUGE}
    if place == "column":
        people.add_with("mrr", none=None, **{n: Decimal(repr(v)) for n, v in numbers.items()})
        assert people.passing("mrr", operator, value) == passing
    else:
        people.add_traits("seats", none=None, **numbers)
        assert people.passing("custom:seats", operator, value) == passing


def test_booleans_take_is(people: People) -> None:
    """``is`` compares booleans; a missing value is neither true nor false."""
    people.add_with("on_contract", yes=True, no=False, unknown=None)
    assert people.passing("on_contract", "is", True) == "yes"
    assert people.passing("on_contract", "is", False) == "no"


def test_after_is_at_or_after_and_before_is_strictly_before(people: People) -> None:
    """The instant itself counts as after."""
    people.add_with(
        "signed_up_at",
        just_before=datetime(2026, 5, 26, 23, 59, 59, 999999, UTC),
        at=datetime(2026, 5, 27, tzinfo=UTC),
        never=None,
    )
    assert people.passing("signed_up_at", "after", "2026-05-27T00:00:00Z") == "at"
    assert people.passing("signed_up_at", "before", "2026-05-27T00:00:00Z") == "just_before"


def test_a_date_alone_is_its_midnight_in_the_zone_of_the_organisation(people: People) -> None:
    """The same filter selects other contacts in an organisation with another time zone."""
    people.add_with("signed_up_at", at=datetime(2026, 5, 26, 22, tzinfo=UTC))
    assert people.passing("signed_up_at", "after", "2026-05-27", zone="Europe/Berlin") == "at"
    assert people.passing("signed_up_at", "after", "2026-05-27", zone="UTC") == ""


@pytest.mark.parametrize("value", ["-30d", "-720h", "-43200m"])
def test_relative_dates_move_with_now(people: People, value: str) -> None:
    """A value such as -30d is counted from the instant of the evaluation."""
    people.add_with("last_seen", seen=datetime(2026, 5, 2, 9, tzinfo=UTC))
    assert people.passing("last_seen", "after", value) == "seen"
    later = NOW.replace(microsecond=1)
    assert people.passing("last_seen", "after", value, now=later) == ""
    assert people.passing("last_seen", "before", value, now=later) == "seen"


def test_a_relative_date_may_lie_ahead(people: People) -> None:
    """+1d is tomorrow."""
    people.add_with("renewal_date", soon=NOW, late=datetime(2026, 6, 3, tzinfo=UTC), none=None)
    assert people.passing("renewal_date", "before", "+1d") == "soon"


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        ("MÜNCHEN", "city"),
        ("straße", "street"),
        ("STRAẞE", "street"),
        ("σας", "greek"),
        ("ΣΑΣ", "greek"),
        ("k", "city kelvin"),
        ("100%", "percent"),
        ("_", "percent underscore"),
        ("\\", "backslash"),
        ("", "backslash city greek kelvin percent street underscore"),
    ],
)
@pytest.mark.parametrize("place", ["column", "custom field"])
def test_contains_ignores_case_and_takes_everything_literally(
    people: People, place: str, wanted: str, passing: str
) -> None:
    """Letters of any script match in any case; per cent, underscore and backslash are letters."""
    texts = {
        "city": "München, Knorrstr.",
        "street": "Lange Straße",
        "greek": "ΣΑΣ",
        "kelvin": "300 \N{KELVIN SIGN}",
        "percent": "100%_",
        "underscore": "a_b",
        "backslash": "a\\b",
    }
    if place == "column":
        people.add_with("name", none=None, **texts)
        assert people.passing("name", "contains", wanted) == passing
    else:
        people.add_traits("note", none=None, **texts)
        assert people.passing("custom:note", "contains", wanted) == passing


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("name", "is", "x"),
        ("name", "is_not", "x"),
        ("name", "contains", "x"),
        ("custom:k", "is", "x"),
        ("custom:k", "is_not", "x"),
        ("custom:k", "contains", "x"),
        ("mrr", "lt", 1),
        ("custom:k", "lt", 1),
        ("on_contract", "is", False),
        ("custom:k", "is", False),
        ("signed_up_at", "before", "+1d"),
        ("custom:k", "before", "+1d"),
        ("company.name", "is_not", "x"),
        ("company.custom:k", "is_not", "x"),
        ("stripe:plan", "is_not", "x"),
    ],
)
def test_a_missing_value_matches_nothing(
    people: People, field: str, operator: str, value: Any
) -> None:
    """No operator holds for it, is_not included, and JSON null is as missing as no key at all."""
    people.add("nothing")
    people.add("null", custom_fields={"k": None})
    assert people.passing(field, operator, value) == ""


@pytest.mark.parametrize(
    ("operator", "value", "passing"),
    [
        ("is", "5", "text"),
        ("is_not", "x", "date text word"),
        ("contains", "r", "word"),
        ("is", "true", "word"),
        ("is", '[5, "5", true]', ""),
        ("is", '{"k": 5}', ""),
        ("is", 5, "number"),
        ("lte", 5, "number"),
        ("is", True, "yes"),
        ("before", "2030-01-01", "date"),
        ("after", "2020-01-01", "date"),
    ],
)
def test_a_custom_value_of_the_wrong_type_is_a_missing_one(
    people: People, operator: str, value: Any, passing: str
) -> None:
    """The type of the filter's value decides which stored values are compared at all."""
    people.add_traits(
        "k",
        number=5,
        text="5",
        word="true",
        yes=True,
        null=None,
        list=[5, "5", True],
        object={"k": 5},
        date="2026-05-27",
    )
    assert people.passing("custom:k", operator, value) == passing


def test_bare_role_plan_and_avatar_are_custom_fields(people: People) -> None:
    """Without a prefix these names mean the application's own traits."""
    people.add("ann", custom_fields={"role": "owner", "plan": "pro", "avatar": "a.png"})
    for name, value in (("role", "owner"), ("plan", "pro"), ("avatar", "a.png")):
        assert people.passing(name, "is", value) == "ann"
        assert people.passing(f"custom:{name}", "is", value) == "ann"


@pytest.mark.parametrize("key", ["a.b", "a b", 'a"b', "a\\b", "$", "ключ", "x' OR true --"])
def test_any_name_can_be_a_custom_field(people: People, key: str) -> None:
    """Characters that are syntax elsewhere are ordinary in a field's name."""
    people.add("ann", custom_fields={key: "x"})
    people.add("bob", custom_fields={"other": "x"})
    assert people.passing(f"custom:{key}", "is", "x") == "ann"
    assert people.passing(f"custom:{key}", "contains", "X") == "ann"


def test_lead_fields_are_those_of_leads_only(people: People) -> None:
    """A user has no value for them, whatever its columns and traits hold."""
    columns = {"email": "a@b.example", "custom_fields": {"plan": "pro"}, "signed_up_at": NOW}
    people.add("user", **columns)
    people.add("lead", external_id=None, **columns)
    assert people.passing("lead:email", "contains", "@B.") == "lead"
    assert people.passing("lead:plan", "is", "pro") == "lead"
    assert people.passing("lead:signed_up_at", "before", "+1d") == "lead"


def test_contact_type_follows_the_external_id(people: People) -> None:
    """A contact with an external ID is a user, one without a lead."""
    people.add("user")
    people.add("lead", external_id=None)
    assert people.passing("contact_type", "is", "lead") == "lead"
    assert people.passing("contact_type", "is", "user") == "user"


def test_company_fields_are_those_of_the_contacts_company(people: People) -> None:
    """Columns and custom fields of the company are compared, never the contact's own."""
    acme = people.add_company(
        "acme", name="Acme Inc", mrr=100, signed_up_at=NOW, custom_fields={"tier": 1, "d": "2026"}
    )
    other = people.add_company("other", name="Other", custom_fields={"tier": 2})
    people.add("ann", company_id=acme, mrr=5)
    people.add("bob", company_id=other, name="Acme Inc", custom_fields={"tier": 1})
    people.add("cyd", name="Acme Inc", custom_fields={"tier": 1})
    assert people.passing("company.name", "contains", "acme") == "ann"
    assert people.passing("company.name", "is_not", "Acme Inc") == "bob"
    assert people.passing("company.mrr", "gte", 100) == "ann"
    assert people.passing("company.signed_up_at", "before", "+1d") == "ann"
    assert people.passing("company.external_id", "is", "acme") == "ann"
    assert people.passing("company.custom:tier", "is", 1) == "ann"


def test_stripe_fields_read_what_stripe_said(people: People) -> None:
    """Status, plan, the two dates and the cancellation are compared as their types."""
    people.add(
        "ann",
        stripe_subscription_status="trialing",
        stripe_plan="pro",
        stripe_trial_end=NOW,
        stripe_current_period_end=NOW,
        stripe_cancel_at_period_end=True,
        custom_fields={"plan": "free"},
    )
    people.add("bob", custom_fields={"plan": "pro"})
    assert people.passing("stripe:subscription_status", "is", "trialing") == "ann"
    assert people.passing("stripe:plan", "is", "pro") == "ann"
    assert people.passing("stripe:trial_end", "after", "-1d") == "ann"
    assert people.passing("stripe:current_period_end", "before", "+1d") == "ann"
    assert people.passing("stripe:cancel_at_period_end", "is", True) == "ann"


@pytest.mark.parametrize(
    ("operator", "value", "passing"),
    [
        ("is", 0, "never"),
        ("is", 3, "thrice"),
        ("gt", 0, "once thrice"),
        ("gte", 0, "never once thrice"),
        ("lt", 1.5, "never once"),
        ("lte", 3, "never once thrice"),
    ],
)
def test_an_event_is_the_number_of_times_it_fired(
    people: People, operator: str, value: float, passing: str
) -> None:
    """The value is 0 if the event never fired; it does not count as missing."""
    for name in ("never", "once", "thrice"):
        people.add(name)
    people.fire("once", "paid", 1)
    people.fire("thrice", "paid", 3)
    people.fire("never", "seen", 9)
    assert people.passing("event:paid", operator, value) == passing


def test_events_may_be_counted_in_another_way(people: People) -> None:
    """A goal counts events since the enrollment: its subject replaces the usual count."""
    people.add("ann")
    people.fire("ann", "paid", 3)
    groups = parse_groups([{"field": "event:paid", "operator": "gt", "value": 2}], "goal_filters")
    ever = Subject.of_contacts()
    never = ever.counting_events(lambda _counted: ever.event_count(Firings("nothing")))
    moment = Moment(NOW, "UTC")
    assert people.where(ever, predicate(groups, ever, moment)) == "ann"
    assert people.where(never, predicate(groups, never, moment)) == ""


def test_groups_are_joined_by_or_and_their_filters_by_and(people: People) -> None:
    """A contact passes with all filters of any one group."""
    owner = {"field": "role", "operator": "is", "value": "owner"}
    rich = {"field": "mrr", "operator": "gt", "value": 100}
    seen = {"field": "event:seen", "operator": "gt", "value": 0}
    people.add("ann", custom_fields={"role": "owner"}, mrr=200)
    people.add("bob", custom_fields={"role": "owner"}, mrr=50)
    people.add("cyd", custom_fields={"role": "member"}, mrr=50)
    people.fire("cyd", "seen", 1)
    assert people.in_groups([[owner, rich]]) == "ann"
    assert people.in_groups([owner, rich]) == "ann"
    assert people.in_groups([[owner, rich], [seen]]) == "ann cyd"
    assert people.in_groups([[owner], [seen]]) == "ann bob cyd"
    assert people.in_groups([]) == ""


def test_a_predicate_is_never_null(people: People) -> None:
    """A filter that does not hold is false, not null, so its opposite holds."""
    people.add("nothing")
    groups = parse_groups([{"field": "role", "operator": "is", "value": "x"}], "audience_filters")
    subject = Subject.of_contacts()
    held = predicate(groups, subject, Moment(NOW, "UTC"))
    assert people.where(subject, ~held) == "nothing"


def test_filters_of_one_shape_share_one_statement(people: People) -> None:
    """Values and names are parameters: SQLAlchemy compiles the statement once."""
    people.add("ann", custom_fields={"role": "owner", "age": "2026-01-01"}, mrr=7)
    compiled: dict[Any, Any] = {}
    people.work.connection.execution_options(compiled_cache=compiled)
    for role, since, mrr in (("owner", "-30d", 1), ("member", "2026-02-01", 2.5)):
        people.in_groups(
            [
                {"field": f"custom:{role}", "operator": "is", "value": role},
                {"field": f"custom:{role}", "operator": "contains", "value": "own"},
                {"field": "custom:age", "operator": "after", "value": since},
                {"field": "mrr", "operator": "gt", "value": mrr},
                {"field": f"event:{role}", "operator": "is", "value": mrr},
            ]
        )
    assert len(compiled) == 2  # one for each of the subjects

"""Filters are sound when they are saved, and stay as they were written (contract §3)."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from halo_engine.domain.errors import Refusal, validated
from halo_engine.domain.fields.filter_groups import (
    FilterGroups,
    dump_groups,
    filter_keys,
    parse_groups,
)
from halo_engine.domain.fields.filters import Filter, date_bound
from halo_engine.domain.fields.operators import Operator
from halo_engine.domain.fields.presets import PRESETS, preset_filter

PRO = {"field": "plan", "operator": "is", "value": "pro"}
RICH = {"field": "mrr", "operator": "gte", "value": 100}


def one(field: str, operator: str, value: object) -> Filter:
    """Return the filter that these three write."""
    groups = parse_groups([{"field": field, "operator": operator, "value": value}], "filters")
    return groups[0][0]


@pytest.mark.parametrize(
    ("field", "operators", "value"),
    [
        ("email", ["is", "is_not", "contains"], "x"),
        ("mrr", ["is", "gt", "lt", "gte", "lte"], 1.5),
        ("on_contract", ["is"], True),
        ("last_seen", ["before", "after"], "2026-05-27"),
        ("event:login", ["is", "gt", "lt", "gte", "lte"], 2),
        ("company.name", ["is", "is_not", "contains"], "inc"),
        ("stripe:cancel_at_period_end", ["is"], False),
        ("custom:x", ["is", "is_not", "contains"], "x"),
        ("custom:x", ["is", "is_not", "contains", "before", "after"], "2026-05-27T08:00:00Z"),
        ("custom:x", ["is", "is_not", "contains", "before", "after"], "-30d"),
        ("custom:x", ["is", "gt", "lt", "gte", "lte"], 10),
        ("custom:x", ["is"], True),
    ],
)
def test_each_type_has_its_operators(field: str, operators: list[str], value: object) -> None:
    """A type has its own operators; a custom field takes those of the value's type, and both for a
    date.
    """
    for operator in filter(lambda each: each.takes_value, Operator):
        if operator in operators:
            assert one(field, operator, value).operator is operator
        else:
            with pytest.raises(Refusal, match=rf"^filters\[0\]: {field}.+; allowed (is|are) "):
                one(field, operator, value)


@pytest.mark.parametrize(
    ("field", "operator", "value", "code", "message"),
    [
        ("mrr", "is_not", 1, "bad_operator", "mrr: operator is_not is not one of a number's; "),
        (
            "email",
            "like",
            "x",
            "bad_operator",
            "email: operator ‘like’ is unknown; allowed are is, ",
        ),
        ("mrr", "is", "1", "bad_filter_value", "mrr is: ‘1’ has another type; allowed is a number"),
        (
            "mrr",
            "is",
            True,
            "bad_filter_value",
            "mrr is: true has another type; allowed is a number",
        ),
        ("email", "is", 1, "bad_filter_value", "email is: 1 has another type; allowed is text"),
        ("on_contract", "is", 1, "bad_filter_value", "on_contract is: 1 has another type; allowed"),
        ("email", "is", None, "bad_filter_value", "email is: null cannot be compared; allowed are"),
        ("email", "is", ["x"], "bad_filter_value", "email is: a list cannot be compared; allowed"),
        (
            "last_seen",
            "after",
            "soon",
            "bad_date",
            "last_seen after: ‘soon’ is not a date; allowed",
        ),
        ("last_seen", "after", 5, "bad_date", "last_seen after: 5 is not a date; allowed"),
        (
            "custom:x",
            "before",
            "soon",
            "bad_date",
            "custom:x before: ‘soon’ is not a date; allowed",
        ),
        ("mrr", "gt", float("nan"), "bad_number", "mrr gt: nan cannot be stored; allowed"),
        ("mrr", "gt", 2**63, "bad_number", "mrr gt: 9223372036854775808 cannot be stored; allowed"),
        ("email", "is", "a\x00", "bad_text", "email is: ‘a\\x00’ cannot be stored; allowed"),
        ("email", "is", "\ud800", "bad_text", "email is: ‘\\ud800’ cannot be stored; allowed"),
        ("emial", "is", "x", "unknown_field", "field: ‘emial’ is unknown (did you mean ‘email’?);"),
        (
            "custom:",
            "is",
            "x",
            "bad_name",
            "field ‘custom:’: ‘’ is not a name; allowed are 1 to 255",
        ),
    ],
)
def test_a_refusal_names_field_operator_and_what_is_allowed(
    field: str, operator: str, value: object, code: str, message: str
) -> None:
    """A refusal names the field, the operator and what to write instead."""
    with pytest.raises(Refusal) as caught:
        one(field, operator, value)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert str(caught.value).startswith(f"filters[0]: {message}")


def test_groups_are_joined_by_or_and_a_flat_list_is_one_group() -> None:
    """A flat list is one group; groups are joined by OR; an empty list means no filter."""
    assert parse_groups([PRO, RICH], "filters") == parse_groups([[PRO, RICH]], "filters")
    assert len(parse_groups([[PRO], [RICH]], "filters")) == 2
    assert parse_groups([], "filters") == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[]], "audience_filters[0]: a group holds at least one filter"),
        ([[PRO], []], "audience_filters[1]: a group holds at least one filter"),
        ([PRO, [RICH]], "audience_filters[0]: is not a group; allowed are one list of filters, or"),
        (PRO, "audience_filters: an object is not a list of filters"),
        (None, "audience_filters: null is not a list of filters"),
        ("plan=pro", "audience_filters: ‘plan=pro’ is not a list of filters"),
        (
            ["plan=pro"],
            "audience_filters[0]: ‘plan=pro’ is not an object with field, operator, val",
        ),
        (
            [[PRO, PRO | {"type": 1}]],
            "audience_filters[0][1].type: unknown key; allowed are field, ",
        ),
        ([[{"field": "plan", "operator": "is"}]], "audience_filters[0][0].value: is required"),
        (
            [[PRO | {"field": 1}]],
            "audience_filters[0][0].field: 1 is refused; allowed is text",
        ),
    ],
)
def test_what_is_no_list_of_filters_is_refused_with_its_path(data: object, message: str) -> None:
    """An empty group, an unknown key and other shapes are refused with their path."""
    with pytest.raises(Refusal) as caught:
        parse_groups(data, "audience_filters")
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)


class Goal(BaseModel):
    """A part of a definition that holds filters."""

    goal_filters: FilterGroups = ()


def test_filters_are_a_field_of_a_definition() -> None:
    """In a definition filters take both forms, are saved as groups, and are refused by the field's
    name.
    """
    goal = validated(Goal, {"goal_filters": [PRO]}, "settings")
    assert goal.model_dump(mode="json") == {"goal_filters": [[PRO]]}
    assert validated(Goal, goal, "settings").goal_filters == parse_groups([[PRO]], "filters")
    with pytest.raises(Refusal, match=r"^settings\.goal_filters\[0\]: a group holds at least"):
        validated(Goal, {"goal_filters": [[]]}, "settings")


@pytest.mark.parametrize("value", [True, 1, 1.5, "1", "true", "2026-05-27", "-30d", -(2**63)])
def test_values_keep_the_form_in_which_they_were_written(value: object) -> None:
    """Saving and reading a definition keeps values and their JSON types."""
    written = [[{"field": "custom:x", "operator": "is", "value": value}]]
    groups = parse_groups(json.loads(json.dumps(written)), "filters")
    assert json.dumps(dump_groups(groups)) == json.dumps(written)


@pytest.mark.parametrize("operator", ["is_set", "is_empty"])
@pytest.mark.parametrize("field", ["email", "mrr", "on_contract", "last_seen", "custom:x"])
def test_every_type_can_be_asked_whether_there_is_a_value(field: str, operator: str) -> None:
    """The question has no value, not even in JSON, and compares nothing (contract §22)."""
    written = [[{"field": field, "operator": operator}]]
    groups = parse_groups(written, "filters")
    assert dump_groups(groups) == written
    assert groups[0][0].type is None
    assert one(field, operator, None) == groups[0][0]


def test_a_value_is_given_where_the_operator_takes_one() -> None:
    """A comparison without a value is refused, and so is a value beside a question."""
    with pytest.raises(Refusal, match=r"^filters\[0\]\.value: is required$"):
        parse_groups([{"field": "plan", "operator": "is"}], "filters")
    with pytest.raises(Refusal, match=r"plan is_set: takes no value, and ‘pro’ was given;"):
        one("plan", "is_set", "pro")


def test_a_count_within_a_span_keeps_its_span() -> None:
    """A span is written as other lengths of time are, and tells two filters apart (§22)."""
    written = {"field": "event:login", "operator": "lt", "value": 1, "within": "30d"}
    groups = parse_groups([written], "filters")
    assert dump_groups(groups) == [[written]]
    assert groups[0][0].within == timedelta(days=30)
    assert groups[0][0] != one("event:login", "lt", 1)


def test_true_is_not_one() -> None:
    """A filter for true and one for 1 differ, though Python finds them equal."""
    assert one("custom:x", "is", True) != one("custom:x", "is", 1)
    assert len({one("custom:x", "is", value) for value in (True, 1, 1.0, False, 0)}) == 4


@pytest.mark.parametrize(
    ("field", "operator", "value", "type_"),
    [
        ("email", "is", "x", "string"),
        ("custom:x", "contains", "2026-05-27", "string"),
        ("custom:x", "after", "2026-05-27", "date"),
        ("custom:x", "is", True, "boolean"),
        ("custom:x", "is", 1, "number"),
        ("lead:signed_up_at", "after", "-30d", "date"),
    ],
)
def test_a_filter_knows_what_it_compares_as(
    field: str, operator: str, value: object, type_: str
) -> None:
    """A filter compares as the field's type, or for a custom field as the value's."""
    assert one(field, operator, value).type == type_


def test_filters_depend_on_the_keys_of_all_their_fields() -> None:
    """Filters depend on the keys of all their fields, so a change of any finds the series."""
    groups = parse_groups([[PRO, RICH], [{**PRO, "field": "lead:role"}]], "filters")
    assert filter_keys(groups) == {"custom:plan", "mrr", "custom:role", "contact_type"}


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ("2026-05-27", "2026-05-26T22:00:00+00:00"),
        ("2026-05-27T08:00:00Z", "2026-05-27T08:00:00+00:00"),
        ("-30d", "2026-05-02T09:00:00+00:00"),
        ("+12h", "2026-06-01T21:00:00+00:00"),
        ("-5m", "2026-06-01T08:55:00+00:00"),
    ],
)
def test_a_date_is_bound_to_the_zone_and_to_now(value: str, bound: str) -> None:
    """A date alone is midnight in the zone; a relative date moves with each evaluation."""
    now = datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert date_bound(value, ZoneInfo("Europe/Berlin"), now).isoformat() == bound


def test_the_presets_are_those_of_the_audience_builder() -> None:
    """Each label stands for one filter; the dated ones are relative to now."""
    written = {label: f"{f.field} {f.operator} {f.value}" for label, f in PRESETS.items()}
    assert written == {
        "On trial": "stripe:subscription_status is trialing",
        "Active subscribers": "stripe:subscription_status is active",
        "Past due": "stripe:subscription_status is past_due",
        "Set to cancel": "renewal_status is set_to_cancel",
        "From SDK": "source is sdk",
        "Signed up in 30 days": "signed_up_at after -30d",
        "Inactive 30 days+": "last_seen before -30d",
    }


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    """An unknown preset is refused with the known labels."""
    with pytest.raises(
        Refusal, match=r"^preset: ‘Trial’ is unknown; allowed are On trial, Active s"
    ):
        preset_filter("Trial")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items),
    max_leaves=8,
)
almost = st.fixed_dictionaries(
    {
        "field": junk | st.sampled_from(["email", "mrr", "last_seen", "custom:x", "lead:plan"]),
        "operator": junk | st.sampled_from(sorted(Operator)),
        "value": junk | st.sampled_from(["-30d", "2026-05-27"]),
    },
    optional={"extra": junk},
)


@given(junk | st.lists(almost) | st.lists(st.lists(almost)))
def test_only_a_refusal_escapes(data: object) -> None:
    """Any filters are valid and can be saved, or refused."""
    try:
        groups = parse_groups(data, "filters")
    except Refusal as refusal:
        str(refusal).encode()
    else:
        assert parse_groups(json.loads(json.dumps(dump_groups(groups))), "filters") == groups

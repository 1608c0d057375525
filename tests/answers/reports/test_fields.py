"""Lists of fields and events (contract §3; http.md §3)."""

from typing import Any

from halo_engine.answers.reports import stored
from halo_engine.answers.reports.fields import KnownField, NamedField, known_fields, named_fields
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from tests.answers.sandbox import Sandbox
from tests.contacts.sandbox import statements


def field(sandbox: Sandbox, name: str) -> dict[str, Any]:
    """Return the answer about one field."""
    [found] = [each for each in known_fields(sandbox.work).fields if each.field == name]
    return found.model_dump(mode="json")


def test_every_column_is_a_field_whether_or_not_it_has_a_value(sandbox: Sandbox) -> None:
    """Columns of contacts come first, then companies', then Stripe's, in the contract's order."""
    names = [each.field for each in known_fields(sandbox.work).fields]
    assert names[:3] == ["email", "name", "external_id"]
    assert names[17:19] == ["company.name", "company.external_id"]
    assert names[-5:] == [
        "stripe:subscription_status",
        "stripe:plan",
        "stripe:trial_end",
        "stripe:current_period_end",
        "stripe:cancel_at_period_end",
    ]
    assert len(names) == 33


def test_a_custom_field_with_the_values_seen_most(sandbox: Sandbox) -> None:
    """It has the registered type, the stored types, and each value's number of contacts."""
    sandbox.pro("ann", "bob")
    sandbox.add("cyd", custom_fields={"plan": "free"})
    sandbox.add("dee", custom_fields={"plan": 3})
    sandbox.add("eve", custom_fields={"plan": None})
    sandbox.register("plan")
    assert field(sandbox, "custom:plan") == {
        "field": "custom:plan",
        "type": "string",
        "operators": ["is", "is_not", "contains", "is_set", "is_empty"],
        "custom": True,
        "contacts": 4,
        "types": {"string": 3, "number": 1},
        "values": [
            {"value": "pro", "contacts": 2},
            {"value": "free", "contacts": 1},
            {"value": 3, "contacts": 1},
        ],
        "choices": [],
        "not_a_zone": None,
    }


def test_fields_of_companies_and_of_stripe(sandbox: Sandbox) -> None:
    """A company's value counts once for each of its contacts."""
    acme = sandbox.company("acme", custom_fields={"tier": "gold"}, on_contract=True)
    sandbox.add("ann", "bob", company_id=acme)
    sandbox.add("cyd", stripe_plan="basic")
    tier = field(sandbox, "company.custom:tier")
    assert (tier["contacts"], tier["values"]) == (2, [{"value": "gold", "contacts": 2}])
    assert field(sandbox, "company.on_contract")["values"] == [{"value": True, "contacts": 2}]
    assert field(sandbox, "stripe:plan")["values"] == [{"value": "basic", "contacts": 1}]


def test_an_enumerated_field_says_all_that_it_can_be(sandbox: Sandbox) -> None:
    """An enumerated field lists all its choices, also those that no contact has."""
    sandbox.add("ann", contract_term="annual")
    term = field(sandbox, "contract_term")
    assert term["choices"] == ["monthly", "quarterly", "annual", "bi_annual"]
    assert term["values"] == [{"value": "annual", "contacts": 1}]


def test_dates_and_what_names_a_person_have_no_values(sandbox: Sandbox) -> None:
    """Values of dates and of fields that identify a person are counted but not shown; nor are long
    ones and non-scalars.
    """
    sandbox.add("ann", custom_fields={"long": "x" * 201, "list": [1], "seats": 2})
    for name in ("email", "external_id", "created_at", "custom:long", "custom:list"):
        found = field(sandbox, name)
        assert (found["contacts"], found["values"]) == (1, []), name
    assert field(sandbox, "custom:list")["operators"] == ["is_set", "is_empty"]
    assert field(sandbox, "custom:seats")["operators"] == [
        *("is", "gt", "lt", "gte", "lte", "is_set", "is_empty")
    ]


def test_twenty_values_at_most_the_most_frequent_first(sandbox: Sandbox) -> None:
    """The rest are included in the number of contacts."""
    for number in range(25):
        sandbox.add(f"c{number}", custom_fields={"n": number})
    sandbox.add("twice", custom_fields={"n": 24})
    found = field(sandbox, "custom:n")
    assert (found["contacts"], len(found["values"])) == (26, 20)
    assert found["values"][0] == {"value": 24, "contacts": 2}


def test_the_newest_contacts_are_looked_at(sandbox: Sandbox, monkeypatch: Any) -> None:
    """Only the newest contacts are sampled, so the cost does not grow with their number."""
    monkeypatch.setattr(stored, "SAMPLE", 2)
    monkeypatch.setattr("halo_engine.answers.reports.fields.SAMPLE", 2)
    sandbox.pro("old")
    sandbox.wait(hours=1)
    sandbox.add("ann", "bob")
    found = known_fields(sandbox.work)
    assert (found.contacts, found.looked_at) == (3, 2)
    assert [each for each in found.fields if each.custom] == []


def test_lists_series_and_fields_in_four_statements(sandbox: Sandbox) -> None:
    """Lists, series and fields take four statements, however many there are; a key that no filter
    can name is left out.
    """
    sandbox.add("ann", custom_fields={f"f{n}": n for n in range(50)} | {" ": 1})
    sandbox.list("news", "ann")
    sandbox.list("tips")
    with statements(sandbox.work.connection) as seen:
        found = known_fields(sandbox.work)
    assert len(seen) == 4
    assert [(each.list, each.subscribers) for each in found.lists] == [("news", 1), ("tips", 0)]
    custom: list[KnownField] = [each for each in found.fields if each.custom]
    assert len(custom) == 50


def test_names_and_types_are_known_without_looking_at_contacts(sandbox: Sandbox) -> None:
    """The same fields in the same order, by one statement."""
    identify(sandbox.work, IdentifyCall(user_id="ann", traits={"seats": 5}))
    known = known_fields(sandbox.work).fields
    named = named_fields(sandbox.work)
    assert [dict(each) for each in named] == [
        {name: getattr(each, name) for name in NamedField.model_fields} for each in known
    ]
    [seats] = [each for each in named if each.field == "custom:seats"]
    assert (seats.type, seats.custom, seats.operators[1]) == ("number", True, "gt")


def test_the_registry_counts_what_names_no_time_zone(sandbox: Sandbox) -> None:
    """Of the field that says in which zone a contact is, values that are no zone are counted; old
    names are zones (contract §20).
    """
    for name, zone in (("a", "Asia/Calcutta"), ("b", "Mars"), ("c", 5), ("d", None), ("e", "utc")):
        sandbox.add(name, custom_fields={"timezone": zone, "plan": "pro"})
    assert field(sandbox, "custom:timezone")["not_a_zone"] == 3
    assert field(sandbox, "custom:plan")["not_a_zone"] is None


def test_lists_and_series_are_fields_with_all_that_they_can_be(sandbox: Sandbox) -> None:
    """A list is true or false, a series has stages, and nobody lacks either (contract §22)."""
    sandbox.add("ann", "bob")
    sandbox.list("news", "ann")
    sandbox.series(key="tour", entry_trigger="user_created")
    assert [each.field for each in known_fields(sandbox.work).fields[-2:]] == [
        "list:news",
        "series:tour",
    ]
    news, tour = field(sandbox, "list:news"), field(sandbox, "series:tour")
    assert (news["type"], news["operators"], news["contacts"]) == ("boolean", ["is", "is_not"], 2)
    assert (tour["type"], tour["operators"], tour["contacts"]) == ("string", ["is", "is_not"], 2)
    assert news["choices"] == []
    assert tour["choices"] == ["never", "active", "completed", "exited", "not_met"]

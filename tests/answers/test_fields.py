"""Lists of fields and events (contract §3; http.md §3)."""

from typing import Any

from halo_engine.answers import stored
from halo_engine.answers.fields import KnownField, known_fields
from tests.answers.stage import Stage
from tests.contacts.stage import statements


def field(stage: Stage, name: str) -> dict[str, Any]:
    """Return the answer about one field."""
    [found] = [each for each in known_fields(stage.work).fields if each.field == name]
    return found.model_dump(mode="json")


def test_every_column_is_a_field_whether_or_not_it_has_a_value(stage: Stage) -> None:
    """Columns of contacts come first, then companies', then Stripe's, in the contract's order."""
    names = [each.field for each in known_fields(stage.work).fields]
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


def test_a_custom_field_with_the_values_seen_most(stage: Stage) -> None:
    """It has the registered type, the stored types, and each value's number of contacts."""
    stage.pro("ann", "bob")
    stage.add("cyd", custom_fields={"plan": "free"})
    stage.add("dee", custom_fields={"plan": 3})
    stage.add("eve", custom_fields={"plan": None})
    stage.register("plan")
    assert field(stage, "custom:plan") == {
        "field": "custom:plan",
        "type": "string",
        "operators": ["is", "is_not", "contains"],
        "custom": True,
        "contacts": 4,
        "types": {"string": 3, "number": 1},
        "values": [
            {"value": "pro", "contacts": 2},
            {"value": "free", "contacts": 1},
            {"value": 3, "contacts": 1},
        ],
        "choices": [],
    }


def test_fields_of_companies_and_of_stripe(stage: Stage) -> None:
    """A company's value counts once for each of its contacts."""
    acme = stage.company("acme", custom_fields={"tier": "gold"}, on_contract=True)
    stage.add("ann", "bob", company_id=acme)
    stage.add("cyd", stripe_plan="basic")
    tier = field(stage, "company.custom:tier")
    assert (tier["contacts"], tier["values"]) == (2, [{"value": "gold", "contacts": 2}])
    assert field(stage, "company.on_contract")["values"] == [{"value": True, "contacts": 2}]
    assert field(stage, "stripe:plan")["values"] == [{"value": "basic", "contacts": 1}]


def test_an_enumerated_field_says_all_that_it_can_be(stage: Stage) -> None:
    """Choices that nobody has are listed too."""
    stage.add("ann", contract_term="annual")
    term = field(stage, "contract_term")
    assert term["choices"] == ["monthly", "quarterly", "annual", "bi_annual"]
    assert term["values"] == [{"value": "annual", "contacts": 1}]


def test_dates_and_what_names_a_person_have_no_values(stage: Stage) -> None:
    """They are counted without values; so are values that are too long or no scalar."""
    stage.add("ann", custom_fields={"long": "x" * 201, "list": [1], "seats": 2})
    for name in ("email", "external_id", "created_at", "custom:long", "custom:list"):
        found = field(stage, name)
        assert (found["contacts"], found["values"]) == (1, []), name
    assert field(stage, "custom:list")["operators"] == []
    assert field(stage, "custom:seats")["operators"] == ["is", "gt", "lt", "gte", "lte"]


def test_twenty_values_at_most_the_most_frequent_first(stage: Stage) -> None:
    """The rest are included in the number of contacts."""
    for number in range(25):
        stage.add(f"c{number}", custom_fields={"n": number})
    stage.add("twice", custom_fields={"n": 24})
    found = field(stage, "custom:n")
    assert (found["contacts"], len(found["values"])) == (26, 20)
    assert found["values"][0] == {"value": 24, "contacts": 2}


def test_the_newest_contacts_are_looked_at(stage: Stage, monkeypatch: Any) -> None:
    """So the cost does not grow with the number of contacts."""
    monkeypatch.setattr(stored, "SAMPLE", 2)
    monkeypatch.setattr("halo_engine.answers.fields.SAMPLE", 2)
    stage.pro("old")
    stage.wait(hours=1)
    stage.add("ann", "bob")
    found = known_fields(stage.work)
    assert (found.contacts, found.looked_at) == (3, 2)
    assert [each for each in found.fields if each.custom] == []


def test_lists_and_fields_in_three_statements(stage: Stage) -> None:
    """For any number of lists and fields; a key that no filter can name is left out."""
    stage.add("ann", custom_fields={f"f{n}": n for n in range(50)} | {" ": 1})
    stage.list("news", "ann")
    stage.list("tips")
    with statements(stage.work.connection) as seen:
        found = known_fields(stage.work)
    assert len(seen) == 3
    assert [(each.list, each.subscribers) for each in found.lists] == [("news", 1), ("tips", 0)]
    custom: list[KnownField] = [each for each in found.fields if each.custom]
    assert len(custom) == 50

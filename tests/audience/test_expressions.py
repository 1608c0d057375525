"""A ``user_property`` expression is a filter; a custom field compares as what is stored (§5)."""

from datetime import UTC, datetime

import pytest

from tests.audience.people import People


@pytest.mark.parametrize(
    ("expression", "passing"),
    [
        ("k=5", "number text"),
        ("k!=5", "date word"),
        ("k!=x", "date text word"),
        ("k>4", "number"),
        ("k>=5", "number"),
        ("k<6", "number"),
        ("k<=5.0", "number"),
        ("k=true", "word yes"),
        ("k contains RU", "word"),
        ("k<2026-06-01", "date"),
        ("k>=2026-05-27", "date"),
        ("k>=2026-05-28", ""),
        ("k<-30d", ""),
        ("k>=-30d", "date"),
        ("k>x", ""),
        ("k=null", ""),
    ],
)
def test_a_custom_field_compares_as_the_type_that_is_stored(
    people: People, expression: str, passing: str
) -> None:
    """Text, numbers, booleans and dates each take their own operators, and others do not hold."""
    people.add_traits(
        "k", number=5, text="5", word="true", yes=True, null=None, list=[5], date="2026-05-27"
    )
    people.add("nothing")
    assert people.for_whom(expression) == passing
    assert people.for_whom(f"custom:{expression}") == passing


@pytest.mark.parametrize(
    ("expression", "passing"),
    [
        ("mrr>=100", "ann"),
        ("mrr<100", "bob"),
        ("email contains @ACME", "ann"),
        ("email!=bob@b.example", "ann"),
        ("on_contract=true", "ann"),
        ("signed_up_at<2026-05-01", "bob"),
        ("signed_up_at>=2026-05-01", "ann"),
        ("company.name=Acme", "ann"),
        ("company.custom:tier>1", "ann"),
        ("event:paid>0", "bob"),
        ("lead:mrr<100", "bob"),
        ("stripe:plan=pro", "bob"),
        ("plan!=free", "ann"),
    ],
)
def test_a_field_of_the_catalogue_compares_as_its_type(
    people: People, expression: str, passing: str
) -> None:
    """Columns, companies, events, leads and Stripe's fields are read as filters read them."""
    acme = people.add_company("acme", name="Acme", custom_fields={"tier": 2})
    people.add(
        "ann",
        email="ann@acme.example",
        mrr=100,
        on_contract=True,
        signed_up_at=datetime(2026, 5, 1, tzinfo=UTC),
        company_id=acme,
        custom_fields={"plan": "pro"},
    )
    people.add(
        "bob",
        external_id=None,
        email="bob@b.example",
        mrr=99,
        signed_up_at=datetime(2026, 4, 30, tzinfo=UTC),
        stripe_plan="pro",
    )
    people.add("nothing")
    people.fire("bob", "paid", 1)
    assert people.for_whom(expression) == passing

"""A ``user_property`` expression is a filter, written ``key op value`` (contract §5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.expressions import parse_expression


def readings(text: str) -> list[str]:
    """Return the filters that an expression is read as, each as ``field operator value``."""
    return [f"{f.field} {f.operator} {f.value!r}" for f in parse_expression(text).readings]


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("email=ann@a.example", "email is 'ann@a.example'"),
        ("email!=ann@a.example", "email is_not 'ann@a.example'"),
        ("email contains @ACME.com", "email contains '@ACME.com'"),
        ("mrr=100", "mrr is 100"),
        ("mrr>100", "mrr gt 100"),
        ("mrr>=99.5", "mrr gte 99.5"),
        ("mrr<-1", "mrr lt -1"),
        ("mrr<=1e3", "mrr lte 1000.0"),
        ("on_contract=true", "on_contract is True"),
        ("signed_up_at<2026-05-27", "signed_up_at before '2026-05-27'"),
        ("signed_up_at>=-30d", "signed_up_at after '-30d'"),
        ("stripe:plan=pro", "stripe:plan is 'pro'"),
        ("company.mrr>=1000", "company.mrr gte 1000"),
        ("event:login>=2", "event:login gte 2"),
        ("lead:email contains a", "lead:email contains 'a'"),
    ],
)
def test_a_field_of_the_catalogue_is_compared_as_its_type(text: str, reading: str) -> None:
    """The symbol becomes the type's operator, and the value is read as that type."""
    assert readings(text) == [reading]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plan=pro", ["custom:plan is 'pro'"]),
        ("status!=churned", ["custom:status is_not 'churned'"]),
        ("custom:note contains 5", ["custom:note contains '5'"]),
        ("seats=5", ["custom:seats is '5'", "custom:seats is 5"]),
        ("seats>=5", ["custom:seats gte 5"]),
        ("seats!=5", ["custom:seats is_not '5'"]),
        ("zip=00501", ["custom:zip is '00501'", "custom:zip is 501"]),
        ("rate=.5", ["custom:rate is '.5'", "custom:rate is 0.5"]),
        ("rate=nan", ["custom:rate is 'nan'"]),
        ("vip=true", ["custom:vip is 'true'", "custom:vip is True"]),
        ("vip=True", ["custom:vip is 'True'"]),
        ("trial_end<2026-05-27", ["custom:trial_end before '2026-05-27'"]),
        ("trial_end>=-30d", ["custom:trial_end after '-30d'"]),
        ("trial_end=2026-05-27", ["custom:trial_end is '2026-05-27'"]),
        ("company.custom:tier=gold", ["company.custom:tier is 'gold'"]),
    ],
)
def test_a_custom_trait_is_compared_as_the_type_that_is_stored(
    text: str, expected: list[str]
) -> None:
    """Each type that the text can be read as makes a filter; only the stored type's can hold."""
    assert readings(text) == expected


@pytest.mark.parametrize("text", ["plan>pro", "plan<=pro", "trial_end>2026-05-27", "seats>=1e999"])
def test_a_custom_trait_that_no_type_can_compare_so_never_matches(text: str) -> None:
    """An expression that no type can compare is accepted and false: the type is known only
    later.
    """
    assert readings(text) == []


@pytest.mark.parametrize(
    ("text", "field", "symbol", "value"),
    [
        ("plan=pro", "custom:plan", "=", "pro"),
        ("  plan  =  pro plus ", "custom:plan", "=", "pro plus"),
        ("mrr>=100", "mrr", ">=", "100"),
        ("email contains @a=b", "email", "contains", "@a=b"),
        ("note=x contains y", "custom:note", "=", "x contains y"),
        ("note= =", "custom:note", "=", "="),
        ("note!=a!=b>=c", "custom:note", "!=", "a!=b>=c"),
        ("contains=x", "custom:contains", "=", "x"),
        ("ключ = да", "custom:ключ", "=", "да"),
        ("Last Login contains 2026", "custom:Last Login", "contains", "2026"),
    ],
)
def test_the_first_operator_divides_key_and_value(
    text: str, field: str, symbol: str, value: str
) -> None:
    """The first operator, the longest at its place, divides key and value; later ones belong to the
    value.
    """
    expression = parse_expression(text)
    assert (expression.field.key, expression.symbol, expression.value) == (field, symbol, value)


@pytest.mark.parametrize(
    "text",
    ["", "plan", "plan ~ pro", "=pro", "plan=", "plan= ", "plan==pro", "email contains", None, 1],
)
def test_what_is_no_expression_is_refused(text: object) -> None:
    """The refusal shows the shape and the operators."""
    with pytest.raises(Refusal) as caught:
        parse_expression(text)
    assert (caught.value.status, caught.value.code) == (400, "bad_expression")
    assert str(caught.value).startswith("condition_value: ")
    assert str(caught.value).endswith(
        " is not an expression; allowed is KEY OPERATOR VALUE, "
        "the operator being =, !=, >, >=, <, <= or contains"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mrr!=5", "mrr: operator != is not one of a number's; allowed are =, >, >=, <, <="),
        ("email>a", "email: operator > is not one of a string's; allowed are =, !=, contains"),
        ("on_contract!=true", "on_contract: operator != is not one of a boolean's; allowed are ="),
        ("last_seen>2026-05-27", "last_seen: operator > is not one of a date's; allowed are <, >="),
        ("last_seen=2026-05-27", "last_seen: operator = is not one of a date's; allowed are <, >="),
        ("mrr>=a", "mrr >=: ‘a’ cannot be compared; allowed is a number"),
        ("mrr=1_000", "mrr =: ‘1_000’ cannot be compared; allowed is a number"),
        ("mrr=9223372036854775808", "mrr =: ‘9223372036854775808’ cannot be compared; allowed is"),
        ("on_contract=yes", "on_contract =: ‘yes’ cannot be compared; allowed is true or false"),
        ("last_seen<soon", "last_seen <: ‘soon’ cannot be compared; allowed is an ISO 8601 date"),
        ("stripe:status=active", "field: ‘stripe:status’ is unknown; allowed are email, name, ex"),
        ("a\x00=1", "field ‘custom:a\\x00’: ‘a\\x00’ is not a name; allowed are 1 to 255"),
        ("plan=\x00", "custom:plan is: ‘\\x00’ cannot be stored; allowed is text without NUL"),
    ],
)
def test_where_the_type_is_known_what_it_lacks_is_refused(text: str, message: str) -> None:
    """If the field's type is known, activation refuses a value that it cannot compare (§8, check
    9).
    """
    with pytest.raises(Refusal) as caught:
        parse_expression(text)
    assert caught.value.status == 400
    assert str(caught.value).startswith(message)


symbols = st.sampled_from(["=", "!=", ">", ">=", "<", "<=", " contains ", "~", ""])
keys = st.sampled_from(["mrr", "plan", "email", "last_seen", "event:x", "company.custom:x"])


@given(st.text() | st.tuples(keys | st.text(), symbols, st.text()).map("".join))
def test_only_a_refusal_escapes(text: str) -> None:
    """Any text is read as valid filters or refused."""
    try:
        expression = parse_expression(text)
    except Refusal as refusal:
        str(refusal).encode()
    else:
        assert {item.target.key for item in expression.readings} <= {expression.field.key}

"""Traits are refused as a whole, or sorted into columns and custom fields (contract §2)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.traits import (
    LARGEST,
    RENEWAL_STATUSES,
    RESERVED,
    TERMS,
    check_email,
    check_external_id,
    split_company_traits,
    split_traits,
)

BERLIN = ZoneInfo("Europe/Berlin")


def refusal_of(traits: object, context: object = None) -> Refusal:
    """Return how these traits are refused."""
    with pytest.raises(Refusal) as caught:
        split_traits(traits, BERLIN, context)
    assert caught.value.status == 400
    return caught.value


def test_recognised_traits_go_into_columns_and_all_others_into_custom_fields() -> None:
    """Role, plan and avatar are custom; dates are read on the organisation's clock."""
    columns = {
        "name": "Jane",
        "email": "jane@acme.example",
        "renewal_status": "at_risk",
        "contract_term": "annual",
        "payment_terms": "bi_annual",
        "on_contract": False,
        "mrr": 4900,
        "arr": 58_800.5,
    }
    custom = {"role": "admin", "plan": "pro", "avatar": None, "seats": [1, {"a": True}]}
    dates = {"signed_up_at": "2026-05-27", "renewal_date": "2026-01-01T00:00:00Z"}
    traits = split_traits({**columns, **custom, **dates}, BERLIN)
    assert traits.columns == {
        **columns,
        "signed_up_at": datetime(2026, 5, 26, 22, tzinfo=UTC),
        "renewal_date": datetime(2026, 1, 1, tzinfo=UTC),
    }
    assert traits.custom == custom


def test_null_overwrites_every_column_but_signed_up_at() -> None:
    """A null signed_up_at counts as missing: the stored value stays."""
    names = ["name", "email", "signed_up_at", "renewal_date", "on_contract", "mrr", "plan"]
    traits = split_traits(dict.fromkeys(names), BERLIN)
    kept_in_columns = ["name", "email", "renewal_date", "on_contract", "mrr"]
    assert traits.columns == dict.fromkeys(kept_in_columns)
    assert traits.custom == {"plan": None}


def test_no_traits_are_fine() -> None:
    """A call needs no traits."""
    assert split_traits(None, BERLIN, None) == split_traits({}, BERLIN, {}) == ({}, {})


def test_companies_have_the_same_traits_but_no_address() -> None:
    """A company has the same traits, but its email is a custom field."""
    traits = split_company_traits({"name": "Acme", "mrr": 1, "email": "not one"}, BERLIN)
    assert traits == ({"name": "Acme", "mrr": 1}, {"email": "not one"})


def test_each_reserved_key_is_refused_and_named() -> None:
    """All reserved keys that were sent are named, of contacts and of companies."""
    assert (
        *("id", "external_id", "org_id", "company_id", "created_at", "updated_at"),
        *("first_seen", "last_seen", "last_contacted_at", "customer_for"),
    ) == RESERVED
    for key in RESERVED:
        for split in (split_traits, split_company_traits):
            with pytest.raises(Refusal, match=rf"^traits: {key} cannot be set; Halo manages"):
                split({key: None, "name": "Ann"}, BERLIN)
    refusal = refusal_of({"last_seen": 1, "id": 1})
    assert refusal.code == "reserved_trait"
    assert str(refusal).startswith("traits: id, last_seen cannot be set; Halo manages id, external")


def test_reserved_keys_are_free_below_the_top() -> None:
    """Below the top level reserved keys are allowed."""
    assert split_traits({"device": {"id": 1}}, BERLIN).custom == {"device": {"id": 1}}


@pytest.mark.parametrize(
    ("name", "words"),
    [("renewal_status", RENEWAL_STATUSES), ("contract_term", TERMS), ("payment_terms", TERMS)],
)
def test_an_enumerated_trait_is_one_of_its_list(name: str, words: tuple[str, ...]) -> None:
    """A value outside the list is refused with the list."""
    for word in words:
        assert split_traits({name: word}, BERLIN).columns == {name: word}
    for value in ("maybe", words[0].upper(), "", 1, [words[0]]):
        refusal = refusal_of({name: value})
        assert refusal.code == "bad_trait"
        assert str(refusal).startswith(f"traits.{name}: ")
        assert str(refusal).endswith(f" is refused; allowed are {', '.join(words)}, or null")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", 1, "traits.name: 1 is refused; allowed are text, or null"),
        ("name", {}, "traits.name: an object is refused; allowed are text, or null"),
        (
            "email",
            1,
            "traits.email: 1 is not an email address; allowed is one such as ann@acme.com",
        ),
        (
            "email",
            "",
            "traits.email: ‘’ is not an email address; allowed is one such as ann@acme.com",
        ),
        ("mrr", "N/A", "traits.mrr: ‘N/A’ is refused; allowed are a number, or null"),
        ("arr", True, "traits.arr: true is refused; allowed are a number, or null"),
        ("on_contract", "yes", "traits.on_contract: ‘yes’ is refused; allowed are true and false"),
        ("on_contract", 1, "traits.on_contract: 1 is refused; allowed are true and false, or null"),
        (
            "signed_up_at",
            "tomorrow",
            "traits.signed_up_at: ‘tomorrow’ is not a date; allowed is ISO",
        ),
        ("signed_up_at", "", "traits.signed_up_at: ‘’ is not a date; allowed is ISO 8601, such as"),
        ("signed_up_at", "-30d", "traits.signed_up_at: ‘-30d’ is not a date; allowed is ISO 8601"),
        (
            "renewal_date",
            1748304000,
            "traits.renewal_date: 1748304000 is not a date; allowed is ISO",
        ),
    ],
)
def test_a_recognised_trait_of_the_wrong_type_is_refused(
    name: str, value: object, message: str
) -> None:
    """Nothing is converted by guessing."""
    assert str(refusal_of({name: value})).startswith(message)


@pytest.mark.parametrize(
    ("traits", "context", "message"),
    [
        ({"a": float("inf")}, None, "traits.a: inf cannot be stored"),
        ({"a": 1}, {"b": {"c": "\x00"}}, "context.b.c: ‘\\x00’ cannot be stored"),
        ("name=Ann", None, "traits: ‘name=Ann’ is not an object"),
        ({}, ["x"], "context: a list is not an object"),
        ({"": 1}, None, "traits: ‘’ is not a name; allowed are 1 to 255 characters"),
        ({"x" * 256: 1}, None, f"traits: ‘{'x' * 59}…’ is not a name; allowed are 1 to 255 char"),
        ({"a\r\nBcc": 1}, None, "traits: ‘a\\r\\nBcc’ is not a name; allowed are 1 to 255 char"),
    ],
)
def test_what_cannot_be_kept_is_refused(traits: object, context: object, message: str) -> None:
    """What cannot be stored is refused with its path, in traits and in context."""
    assert str(refusal_of(traits, context)).startswith(message)


def test_traits_and_context_share_twenty_thousand_bytes() -> None:
    """Traits and context together have 20,000 bytes of compact JSON in UTF-8."""
    overhead = len('{"a":""}')
    split_traits({"a": "x" * (LARGEST - overhead)}, BERLIN)
    split_traits({"a": "ä" * ((LARGEST - overhead) // 2)}, BERLIN)
    split_traits({"a": "x" * (LARGEST - 2 * overhead)}, BERLIN, {"b": ""})
    for traits, context in (
        ({"a": "x" * (LARGEST - overhead + 1)}, None),
        ({"a": "ä" * ((LARGEST - overhead) // 2) + "x"}, None),
        ({"a": "x" * (LARGEST - 2 * overhead)}, {"b": "x"}),
    ):
        refusal = refusal_of(traits, context)
        assert refusal.as_dict() == {
            "status": 400,
            "code": "too_large",
            "message": "traits and context: together they are 20001 bytes as compact JSON; "
            "allowed are 20000",
        }


@pytest.mark.parametrize("value", ["ann", "x" * 255, "1", " ann ", "ann\n", "名前", "👩‍🚀"])
def test_an_external_id_is_any_text_that_is_not_blank(value: str) -> None:
    """An external ID has up to 255 characters, kept as they are, and is not blank."""
    assert check_external_id(value) == value


@pytest.mark.parametrize(
    "value", ["", "  ", "\t\n", "x" * 256, "a\x00", "\ud800", 1, None, True, []]
)
def test_other_external_ids_are_refused_by_name(value: object) -> None:
    """Other types are refused by name: 1 and "1" would be two contacts."""
    with pytest.raises(Refusal, match=r"^company.id: .+; allowed (are|is) ") as caught:
        check_external_id(value, "company.id")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "value",
    ["ann@a.example", "1@a.example", "Ann.Lee+x@ACME.com", "ann@bücher.de", "ann@acme.test"],
)
def test_an_address_is_kept_as_it_was_written(value: str) -> None:
    """An address is checked for its syntax and stored as written, without a DNS look-up."""
    assert check_email(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "ann",
        "ann@",
        "ann@acme",
        " ann@acme.com",
        "ann@acme.com\r\nBcc: bob@acme.com",
        "Ann <ann@acme.com>",
        "ann@acme.com, bob@acme.com",
        "a" * 250 + "@acme.com",
        "\ud800@acme.com",
        None,
        1,
    ],
)
def test_what_no_mail_can_reach_is_no_address(value: object) -> None:
    """Blanks, line breaks, display names and lists are refused as addresses."""
    with pytest.raises(Refusal, match=r"^email: .+ is not an email address; allowed is one such"):
        check_email(value)


ADDRESSES = st.builds(
    "{}@{}".format,
    st.text("abzAZ09._+-'\u00fc", max_size=8) | st.just("a" * 60),
    st.lists(
        st.text("abzAZ09-\u00fc", max_size=5) | st.sampled_from(["xn--bcher-kva", "a" * 64]),
        max_size=4,
    ).flatmap(
        lambda labels: st.sampled_from(
            ["com", "example", "test", "TEST", "local", "arpa", "onion", "c", "co9", "c-o", ""]
        ).map(lambda top: ".".join([*labels, top]))
    ),
)


@settings(max_examples=1_000)
@given(ADDRESSES)
def test_an_address_is_judged_as_the_library_judges_it(address: str) -> None:
    """The shortcut for plain addresses accepts none that email-validator refuses."""
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        with pytest.raises(Refusal):
            check_email(address)
    else:
        assert check_email(address) == address


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda items: st.lists(items) | st.dictionaries(st.text() | st.integers(), items),
    max_leaves=12,
)
recognised = st.sampled_from(
    ["name", "email", "signed_up_at", "mrr", "on_contract", "renewal_status"]
)


@given(junk | st.dictionaries(recognised | st.text(), junk), junk)
@example({"email": "@" * 300}, {})
@example({"signed_up_at": "9999-12-31T23:59:59-23:59"}, None)
def test_only_a_refusal_escapes(traits: object, context: object) -> None:
    """Any traits are sorted or refused, and the refusal can be encoded."""
    try:
        split_traits(traits, BERLIN, context)
    except Refusal as refusal:
        str(refusal).encode()

"""The catalogue holds exactly the fields of the contract (§3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import (
    COLUMNS,
    Entity,
    Field,
    FieldType,
    check_name,
    depends_on,
    resolve,
    resolve_trait,
)


def test_the_columns_are_those_of_the_contract() -> None:
    """Contacts, companies and Stripe have the contract's columns, with their types."""
    contact = COLUMNS[Entity.CONTACT]
    assert {type_: [name for name in contact if contact[name] == type_] for type_ in FieldType} == {
        "string": [
            "email",
            "name",
            "external_id",
            "contact_type",
            "source",
            "renewal_status",
            "contract_term",
            "payment_terms",
        ],
        "number": ["mrr", "arr"],
        "boolean": ["on_contract"],
        "date": [
            "signed_up_at",
            "created_at",
            "first_seen",
            "last_seen",
            "last_contacted_at",
            "renewal_date",
        ],
    }
    activity = {"email", "contact_type", "source", "first_seen", "last_seen", "last_contacted_at"}
    assert set(COLUMNS[Entity.COMPANY]) == set(contact) - activity
    assert COLUMNS[Entity.STRIPE] == {
        "subscription_status": "string",
        "plan": "string",
        "trial_end": "date",
        "current_period_end": "date",
        "cancel_at_period_end": "boolean",
    }


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("email", Field("email", Entity.CONTACT, "email", FieldType.STRING)),
        ("mrr", Field("mrr", Entity.CONTACT, "mrr", FieldType.NUMBER)),
        ("custom:seats", Field("custom:seats", Entity.CONTACT, "seats", None, custom=True)),
        ("custom:a:b c", Field("custom:a:b c", Entity.CONTACT, "a:b c", None, custom=True)),
        ("role", Field("role", Entity.CONTACT, "role", None, custom=True)),
        ("company.mrr", Field("company.mrr", Entity.COMPANY, "mrr", FieldType.NUMBER)),
        (
            "company.custom:tier",
            Field("company.custom:tier", Entity.COMPANY, "tier", None, custom=True),
        ),
        (
            "lead:email",
            Field("lead:email", Entity.CONTACT, "email", FieldType.STRING, leads_only=True),
        ),
        (
            "lead:plan",
            Field("lead:plan", Entity.CONTACT, "plan", None, custom=True, leads_only=True),
        ),
        (
            "lead:custom:x",
            Field("lead:custom:x", Entity.CONTACT, "x", None, custom=True, leads_only=True),
        ),
        ("stripe:plan", Field("stripe:plan", Entity.STRIPE, "plan", FieldType.STRING)),
        ("event:login", Field("event:login", Entity.EVENT, "login", FieldType.NUMBER)),
    ],
)
def test_a_name_stands_for_its_field(name: str, field: Field) -> None:
    """A name stands for a column, a custom field, a company's, lead's or Stripe's field, or a count
    of events.
    """
    assert resolve(name) == field


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("email", {"email"}),
        ("role", {"custom:role"}),
        ("custom:role", {"custom:role"}),
        ("lead:plan", {"custom:plan", "contact_type"}),
        ("lead:contact_type", {"contact_type"}),
        ("company.mrr", {"company.mrr", "company_id"}),
        ("company.custom:tier", {"company.custom:tier", "company_id"}),
        ("stripe:plan", {"stripe:plan"}),
        ("event:login", {"event:login"}),
    ],
)
def test_a_field_depends_on_what_its_value_comes_from(name: str, keys: set[str]) -> None:
    """A field names the keys whose change makes series evaluate it again."""
    assert depends_on(resolve(name)) == keys


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("emial", " (did you mean ‘email’?)"),
        ("Email", " (did you mean ‘email’?)"),
        ("last_seen_at", " (did you mean ‘last_seen’?)"),
        ("department", " (did you mean ‘custom:department’?)"),
        ("company.aar", " (did you mean ‘company.arr’?)"),
        ("company.plan", " (did you mean ‘company.custom:plan’?)"),
        ("stripe:paln", " (did you mean ‘stripe:plan’?)"),
        ("stripe:coupon", ""),
        ("lead:emial", " (did you mean ‘email’?)"),
        ("lead:event:login", ""),
        ("lead:stripe:plan", ""),
        ("lead:lead:email", ""),
        ("lead:company.name", ""),
        ("", ""),
        ("\x00\ud800", ""),
    ],
)
def test_an_unknown_field_is_refused_with_what_exists(name: str, hint: str) -> None:
    """The refusal names the field, the closest one, and all that are allowed."""
    with pytest.raises(Refusal) as caught:
        resolve(name)
    assert (caught.value.status, caught.value.code) == (400, "unknown_field")
    said, allowed = str(caught.value).split("; allowed are ")
    assert said.startswith("field: ‘")
    assert said.endswith(f"’ is unknown{hint}")
    assert allowed.startswith("email, name, external_id, contact_type, source, signed_up_at, ")
    assert allowed.endswith(
        "custom:NAME, company.NAME (name, external_id, signed_up_at, created_at, mrr, arr, "
        "renewal_status, renewal_date, contract_term, payment_terms, on_contract), "
        "company.custom:NAME, lead:NAME (a contact's field), stripe:NAME (subscription_status, "
        "plan, trial_end, current_period_end, cancel_at_period_end), event:NAME, "
        "list:KEY and series:KEY"
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("email", "email"),
        ("status", "custom:status"),
        ("plan", "custom:plan"),
        ("event:login", "event:login"),
        ("utm:source", "custom:utm:source"),
    ],
)
def test_a_bare_custom_trait_is_a_field_of_conditions(key: str, name: str) -> None:
    """In a condition a key that the catalogue lacks is a custom trait (§5)."""
    assert resolve_trait(key).key == name


@pytest.mark.parametrize("key", ["company.plan", "stripe:status", "custom:", "lead:emial", " "])
def test_a_prefixed_key_must_exist_in_conditions_too(key: str) -> None:
    """After a prefix an unknown name is refused, in conditions too."""
    with pytest.raises(Refusal):
        resolve_trait(key)


@pytest.mark.parametrize("name", ["x", "Last Login", "نام‌کاربر", "👩‍🚀", "x" * 255])
def test_names_may_be_in_any_language(name: str) -> None:
    """A field's name has up to 255 characters of any script."""
    assert check_name("field", name) == name


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "a\nb", "a\x00", "\x7f", "\ud800", None, 1])
def test_hostile_names_are_refused(name: object) -> None:
    """Empty and overlong names, control characters, lone surrogates and other types are refused."""
    with pytest.raises(Refusal, match=r"^traits: .+ is not a name; allowed are 1 to 255") as caught:
        check_name("traits", name)
    assert (caught.value.status, caught.value.code) == (400, "bad_name")


@given(
    st.text() | st.tuples(st.sampled_from(["custom:", "lead:", "event:"]), st.text()).map("".join)
)
def test_only_a_refusal_escapes(name: str) -> None:
    """Any name is a field of that name or refused."""
    try:
        assert resolve(name).name == name
    except Refusal as refusal:
        str(refusal).encode()

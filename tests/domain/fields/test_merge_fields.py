"""Merge fields (contract §9)."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import COLUMNS, Entity
from halo_engine.domain.fields.merge_fields import MergeField, fields_of, render

UTC_ZONE = ZoneInfo("UTC")
SIGNED_UP = MergeField.of("signed_up_at")

#: Names of fields of every kind that the contract has.
NAMES = st.sampled_from(
    [
        *COLUMNS[Entity.CONTACT],
        "role",
        "custom:Company size",
        "custom:naïve\N{ZERO WIDTH JOINER}",
        "lead:email",
        "lead:custom:role",
        "company.name",
        "company.custom:seats",
        "stripe:plan",
        "event:trial_started",
    ]
)
SPACE = st.text(" \t\n", max_size=2)
#: Text without double braces, also where it meets a merge field.
PLAIN = st.text().filter(
    lambda text: (
        "{{" not in text
        and "}}" not in text
        and not text.startswith("}")
        and not text.endswith("{")
    )
)
FALLBACKS = st.text(st.characters(exclude_characters="{}")).map(str.strip)
VALUES = st.text()


@given(PLAIN)
def test_text_without_merge_fields_stays_as_it_is(text: str) -> None:
    """Text without merge fields stays as it is, single braces included."""
    assert render(text, {}) == text
    assert fields_of(text) == frozenset()


@given(PLAIN, SPACE, NAMES, SPACE, FALLBACKS, PLAIN, VALUES)
def test_a_merge_field_gives_the_value_or_else_the_fallback(
    before: str, left: str, name: str, right: str, fallback: str, after: str, value: str
) -> None:
    """A blank value is missing; the text around a field is never changed."""
    template = f"{before}{{{{{left}{name}{right}|{left}{fallback}{right}}}}}{after}"
    shown = value if value.strip() else fallback
    assert render(template, {name: value}) == f"{before}{shown}{after}"
    assert render(template, {}) == f"{before}{fallback}{after}"
    assert {field.named for field in fields_of(template)} == {name}


@given(NAMES)
def test_without_a_fallback_a_missing_value_is_blank(name: str) -> None:
    """Empty braces give an empty text."""
    assert render(f"[{{{{ {name} }}}}]", {}) == "[]"


def test_a_value_is_not_read_as_a_template() -> None:
    """A contact cannot smuggle merge fields in by its name."""
    assert render("{{ name }}", {"name": "{{ email }}", "email": "x"}) == "{{ email }}"


def test_a_fallback_may_hold_bars() -> None:
    """Only the first bar divides the field from its fallback."""
    assert render("{{ name|a|b }}", {}) == "a|b"


@given(st.text())
def test_any_template_is_rendered_or_refused(template: str) -> None:
    """Any template gives a text or a refusal."""
    with suppress(Refusal):
        assert fields_of(template) == fields_of(f"{template} {template}")
        render(template, {})


@pytest.mark.parametrize(
    ("template", "excerpt"),
    [
        ("Hi {{ name", "{{ name"),
        ("Hi name }}!", "}}!"),
        ("{{{ name }}}", "{{{ name }}}"),
        ("{{ name }}}", "{{ name }}}"),
        ("{{ a {{ name }}", "{{ a {{ name }}"),
        ("{{ name {x} }}", "{{ name {x} }}"),
    ],
)
def test_double_braces_that_are_no_merge_field_are_refused(template: str, excerpt: str) -> None:
    """The refusal shows the text from the braces on, and what is allowed."""
    with pytest.raises(Refusal) as refused:
        render(template, {})
    assert refused.value.as_dict() == {
        "status": 400,
        "code": "bad_merge_field",
        "message": f"merge field: ‘{excerpt}’ is not a merge field; allowed are {{{{ name }}}} and "
        "{{ name|fallback }}, without other braces",
    }


@pytest.mark.parametrize("template", ["{{ nickname }}", "{{ nickname|there }}", "{{nickname}}"])
def test_an_unknown_field_is_named(template: str) -> None:
    """A template with an unknown field is refused when it is read."""
    with pytest.raises(Refusal, match="‘nickname’ is unknown") as refused:
        fields_of(template)
    assert refused.value.code == "unknown_field"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("Ann  Lee", "Ann  Lee"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (2**63 - 1, "9223372036854775807"),
        (5.0, "5"),
        (0.1, "0.1"),
        (120.50, "120.5"),
        (1e22, "1e+22"),
        (Decimal("4900"), "4900"),
        (Decimal("4900.00"), "4900"),
        (Decimal("0.10"), "0.1"),
        (Decimal("1E+3"), "1000"),
        (datetime(2026, 5, 27, 23, 30, tzinfo=UTC), "2026-05-27"),
        ({"a": 1}, ""),
        (["a"], ""),
    ],
)
def test_values_read_as_a_person_would_write_them(value: object, text: str) -> None:
    """Booleans are words, numbers have no needless zeros, dates are days, the rest is blank."""
    assert MergeField.of("custom:x").text_of(value, UTC_ZONE) == text


def test_a_date_is_a_day_on_the_calendar_of_the_organisation() -> None:
    """Half past eleven at night in London is the next day in Berlin."""
    night = datetime(2026, 5, 27, 23, 30, tzinfo=UTC)
    assert SIGNED_UP.text_of(night, ZoneInfo("Europe/Berlin")) == "2026-05-28"


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "0001-01-01"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "Europe/Berlin", "9999-12-31"),
    ],
)
def test_a_date_at_the_end_of_the_calendar_is_no_fault(
    instant: datetime, zone: str, day: str
) -> None:
    """A contact's odd date does not prevent a mail, whatever the organisation's zone is."""
    assert SIGNED_UP.text_of(instant, ZoneInfo(zone)) == day


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("named", "value", "text"),
    [
        ("custom:starts_at", "2026-05-27T23:30:00Z", "2026-05-28"),
        ("custom:starts_at:date", "2026-05-27T23:30:00Z", "2026-05-28"),
        ("custom:starts_at:time", "2026-05-27T23:30:00Z", "01:30"),
        ("custom:starts_at:datetime", "2026-05-27T23:30:00Z", "2026-05-28 01:30"),
        # Without an offset it is on the organisation's clock already.
        ("company.custom:starts_at:time", "2026-05-27T23:30:00", "23:30"),
        ("lead:custom:starts_at", "2026-05-27", "2026-05-27"),
        ("signed_up_at:time", datetime(2026, 5, 27, 23, 30, tzinfo=UTC), "01:30"),
        ("custom:starts_at", "soon", "soon"),
        ("custom:starts_at:date", "soon", ""),
        ("custom:starts_at:date", 5, ""),
        ("name", "2026-05-27T23:30:00Z", "2026-05-27T23:30:00Z"),
    ],
)
def test_a_date_is_shown_on_the_clock_of_the_organisation(
    named: str, value: object, text: str
) -> None:
    """This holds for dates in custom fields too; with a format, anything but a date is missing."""
    assert MergeField.of(named).text_of(value, BERLIN) == text
    assert render(f"{{{{ {named}|never }}}}", {named: text}) == (text or "never")


@pytest.mark.parametrize(
    ("named", "type_"),
    [("name:date", "string"), ("mrr:time", "number"), ("event:paid:date", "number")],
)
def test_a_format_is_for_dates(named: str, type_: str) -> None:
    """A format on a field that is never a date is refused when the template is read."""
    with pytest.raises(Refusal) as refused:
        fields_of(f"{{{{ {named} }}}}")
    name = named.rpartition(":")[0]
    assert refused.value.message == (
        f"merge field: ‘{named}’ is refused: ‘{name}’ is a {type_}; allowed are dates"
    )

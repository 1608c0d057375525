"""Parts of an email that only those who have a value see (contract §15)."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.catalogue import resolve
from halo_engine.domain.fields.if_blocks import IsSet, questions_of, shown_part

UTC = ZoneInfo("UTC")
PLAN, MRR = {"if plan": "set"}, {"if mrr": "set"}


@pytest.mark.parametrize(
    ("template", "values", "shown"),
    [
        ("a", {}, "a"),
        ("{% if plan %}a{% endif %}", PLAN, "a"),
        ("{% if plan %}a{% endif %}", {}, ""),
        ("{% if plan %}a{% else %}b{% endif %}", PLAN, "a"),
        ("{% if plan %}a{% else %}b{% endif %}", {}, "b"),
        ("{%if plan%}a{%else%}b{%endif%}c", {}, "bc"),
        ("{% if plan %}a{% if mrr %}b{% else %}c{% endif %}d{% else %}e{% endif %}", PLAN, "acd"),
        ("{% if plan %}a{% if mrr %}b{% endif %}c{% endif %}", PLAN | MRR, "abc"),
        ("{% if plan %}a{% if mrr %}b{% endif %}c{% endif %}", MRR, ""),
        ("{% if custom:job title %}a{% endif %}", {"if custom:job title": "set"}, "a"),
        ("{% if plan %}{{ name|{} }}{% endif %}", PLAN, "{{ name|{} }}"),
        ("50 {% and more", {}, "50 {% and more"),
    ],
)
def test_a_part_is_shown_to_those_who_have_the_value(
    template: str, values: dict[str, str], shown: str
) -> None:
    """Contacts with the value get the first part, others the second, if there is one; merge fields
    stay.
    """
    assert shown_part(template, values) == shown


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{% if plan %}a", "‘{% if plan %}’ has no {% endif %}"),
        ("a{% endif %}", "‘{% endif %}’ belongs to no {% if FIELD %}"),
        ("{% else %}", "‘{% else %}’ belongs to no {% if FIELD %}"),
        ("{% if plan %}{% else %}{% else %}{% endif %}", "‘{% else %}’ belongs to no"),
        ("{% if %}a{% endif %}", "‘{% if %}’ is no tag"),
        ("{% else plan %}", "‘{% else plan %}’ is no tag"),
        ("{% for x in y %}", "‘{% for x in y %}’ is no tag"),
        ("{%- if plan -%}", "‘{%- if plan -%}’ is no tag"),
        ("{% if nope %}{% endif %}", "field: ‘nope’ is unknown"),
        ('{% if plan == "50%" %}a', "holds no tag"),
        ("{% if plan %}" * 21 + "{% endif %}" * 21, "is inside 20 others"),
    ],
)
def test_a_tag_that_is_wrong_is_refused(template: str, problem: str) -> None:
    """A wrong tag is refused with the three that are allowed."""
    with pytest.raises(Refusal, match=r"(?s).*") as refused:
        questions_of(template)
    assert problem in refused.value.message
    assert "allowed are" in refused.value.message


@pytest.mark.parametrize("value", [None, "", " \t", [], {}])
def test_what_is_blank_is_not_set(value: Any) -> None:
    """A blank text, an empty list and an empty object are not set."""
    assert not IsSet(resolve("plan")).text_of(value, UTC)


@pytest.mark.parametrize("value", ["pro", 0, False, 0.0, [0], {"a": None}])
def test_any_other_value_is_set(value: Any) -> None:
    """Zero and false are set."""
    assert IsSet(resolve("plan")).text_of(value, UTC)

"""The panel's form writes the definition that it shows (contract §17)."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halo_engine.domain.errors import Fault
from halo_engine.domain.fields.catalogue import FieldType
from halo_engine.domain.fields.operators import OPERATORS
from halo_engine.domain.fields.presets import PRESETS
from halo_engine.domain.rules_panel.buttons import pressed
from halo_engine.domain.rules_panel.filter_builders import lack_types, with_types
from halo_engine.domain.rules_panel.filter_rows import FilterRow
from halo_engine.domain.rules_panel.form import RulesForm, form_of, posted
from halo_engine.domain.series.definition import SeriesDefinition
from halo_engine.series.save import read_definition
from halo_engine.series.writing import as_written
from tests.properties.definitions import definitions

FILTER: Final = {"field": "role", "operator": "is", "value": "owner"}
#: Values that a form could take for another: texts of numbers, of truth, of several lines.
VALUES: Final = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.sampled_from(["", " ", "12", "true", "-30d", "2026-05-27", "a\nb", "a\r\nb", "‘"]),
)


def _parsed(data: dict[str, Any]) -> SeriesDefinition:
    return SeriesDefinition.model_validate(data)


def _with_filters(*groups: list[dict[str, Any]], **more: Any) -> SeriesDefinition:
    data = {"entry_trigger": "manual", "audience_filters": list(groups), **more}
    return _parsed(data)


def _as_browsers_send(form: RulesForm) -> list[tuple[str, str]]:
    """One-line inputs lose the ends of lines; only a custom field has a choice of its type."""
    typed = {
        f"{place}[{g}][{n}].type"
        for place, groups in form.builders.items()
        for g, group in enumerate(groups)
        for n, row in enumerate(group)
        if not row.is_custom
    }
    return [
        (name, value.replace("\r", "").replace("\n", ""))
        for name, value in form.pairs()
        if name not in typed
    ]


def _through_the_form(definition: SeriesDefinition) -> SeriesDefinition:
    form = posted(_as_browsers_send(form_of(definition)))
    assert list(form.faults()) == []
    return _parsed(form.without_blanks().written(definition))


@given(definitions())
@settings(max_examples=150, deadline=None)
def test_a_definition_comes_back_from_the_form_as_it_was(data: dict[str, Any]) -> None:
    """A definition comes back whole, with the steps, windows and order of exit rules that the form
    does not show.
    """
    definition = _parsed(data)
    assert as_written(_through_the_form(definition)) == as_written(definition)


@given(VALUES, st.sampled_from(["custom:x", "company.custom:y z", "lead:role", "custom:a[0].b"]))
@settings(max_examples=200, deadline=None)
def test_a_custom_field_keeps_the_type_and_the_letters_of_its_value(value: Any, field: str) -> None:
    """A custom field keeps 12, "12", true, "true" and text of two lines apart."""
    definition = _with_filters([{"field": field, "operator": "is", "value": value}])
    [[item]] = _through_the_form(definition).audience_filters
    assert (item.field, type(item.value), item.value) == (field, type(value), value)


def test_what_somebody_writes_becomes_a_value_of_the_field_s_type() -> None:
    """A written value becomes one of the field's type; a custom field takes the chosen type."""
    rows = (
        FilterRow("mrr", "gte", value=" 12000 "),
        FilterRow("on_contract", "is", value="true"),
        FilterRow("custom:seats", "gt", "number", value="2.5"),
        FilterRow("custom:zip", "is", "string", value="01234"),
        FilterRow("custom:since", "after", "date", value="-30d"),
    )
    form = form_of(_with_filters()).with_builders({"audience_filters": (rows,)})
    [group] = form.written(_with_filters())["audience_filters"]
    assert [each["value"] for each in group] == [12000, True, 2.5, "01234", "-30d"]


def test_a_row_that_was_changed_is_not_kept() -> None:
    """Only an unchanged row keeps the filter that it was made from."""
    form = form_of(_with_filters([FILTER | {"value": "a\nb"}]))
    [[row]] = form.builders["audience_filters"]
    assert row.written()["value"] == "a\nb"
    assert replace(row, value="ab").written()["value"] == "a\nb"
    assert replace(row, value="abc").written()["value"] == "abc"
    assert replace(row, operator="is_not").written()["operator"] == "is_not"


@pytest.mark.parametrize("was", ["{", "[1,2,3]", '["role","is"]', "[" * 100_000, "null", '["x"]'])
def test_a_forged_original_is_passed_over(was: str) -> None:
    """A row with a forged original is read from its inputs."""
    row = FilterRow("role", "is", value="owner", was=was)
    assert row.written() == FILTER


def test_what_is_wrong_belongs_to_the_field_where_it_stands() -> None:
    """Each message of the definition finds its input, also behind blank rows."""
    rows = (
        FilterRow(),
        FilterRow("mrr", "contains", value="1"),
        FilterRow("rolle", "is", value="owner"),
        FilterRow("signed_up_at", "after", value="soon"),
        FilterRow("mrr", "is", value="many"),
        FilterRow("role", "is"),
    )
    form = form_of(_with_filters())
    texts = {**form.texts, "settings.goal_window_days": "soon", "entry_trigger": ""}
    form = replace(form, texts=texts).with_builders({"audience_filters": (rows,)})
    form = form.without_blanks()
    _, faults = read_definition("x", form.written(_with_filters()))
    errors = form.errors((*form.faults(), *faults))
    assert set(errors) == {
        "entry_trigger",
        "settings.goal_window_days",
        "audience_filters[0][0].operator",
        "audience_filters[0][1].field",
        "audience_filters[0][2].value",
        "audience_filters[0][3].value",
        "audience_filters[0][4].value",
    }
    assert errors["audience_filters[0][3].value"] == (
        "‘many’ has another type; allowed is a number"
    )
    assert errors["audience_filters[0][4].value"] == "is empty; write a value, or remove the filter"


def test_a_fault_without_a_field_keeps_its_path() -> None:
    """A fault in a part that the form does not show keeps its path."""
    errors = form_of(_with_filters()).errors([Fault(("steps", 0, "key"), "is wrong")])
    assert errors == {"steps[0].key": "is wrong"}


def test_buttons_add_and_remove_rows_and_groups() -> None:
    """A group goes with its last filter; a button of no place changes nothing."""
    form = form_of(_with_filters([FILTER]))
    kept = form.builders["audience_filters"][0][0]
    form = pressed(form, "add-filter:audience_filters[0]")
    form = pressed(form, "add-group:audience_filters")
    assert form.builders["audience_filters"] == ((kept, FilterRow()), (FilterRow(),))
    form = pressed(form, "remove:audience_filters[1][0]")
    form = pressed(form, "remove:audience_filters[0][1]")
    assert form.builders["audience_filters"] == ((kept,),)
    for nowhere in ("remove:audience_filters[7][0]", "remove:steps[0]", "x", "add-filter:"):
        assert pressed(form, nowhere) == form


@pytest.mark.parametrize("label", PRESETS)
def test_a_preset_is_added_to_the_first_group_once(label: str) -> None:
    """It switches the source to ‘Filter by criteria’; a second click changes nothing."""
    form = pressed(form_of(_with_filters([FILTER], [FILTER])), f"preset:{label}")
    again = pressed(form, f"preset:{label}")
    assert again == form
    definition = _parsed(form.written(_with_filters()))
    assert definition.audience_type == "segment"
    first, second = definition.audience_filters
    assert (len(first), first[1], len(second)) == (2, PRESETS[label], 1)


def test_a_row_whose_field_changed_gets_an_operator_of_the_type() -> None:
    """After a change of its field a row has an operator of the new type."""
    form = form_of(_with_filters()).with_builders(
        {"audience_filters": ((FilterRow("signed_up_at", "contains", value="x"),),)}
    )
    [[row]] = pressed(form, "").builders["audience_filters"]
    assert (row.operator, row.operators) == ("before", OPERATORS[FieldType.DATE])


def test_a_custom_field_has_the_type_that_is_known_until_somebody_chooses_another() -> None:
    """A custom field has its registered type until another is chosen; that choice stays."""
    rows = (
        FilterRow("custom:seats", "contains", value="5"),
        FilterRow("custom:seats", "is", "string", of="custom:seats", value="5"),
        FilterRow("custom:seats", "is", "string", of="custom:zip", value="5"),
        FilterRow("custom:unheard", "is", value="5"),
        FilterRow("mrr", "is", value="5"),
    )
    form = form_of(_with_filters()).with_builders({"audience_filters": (rows,)})
    assert lack_types(form.builders)
    form = form.with_builders(with_types(form.builders, {"custom:seats": "number"}))
    assert not lack_types(form.builders)
    [group] = form.written(_with_filters())["audience_filters"]
    assert [each["value"] for each in group] == [5, "5", 5, "5", 5]
    assert group[0]["operator"] == "is"


def test_a_surge_and_a_window_are_one_line_each() -> None:
    """What a line says is saved; an empty one takes it away; caps wait unless they skip."""
    before = _with_filters(settings={"surge": {"at_most": 5, "within": "1h"}})
    form = form_of(before)
    assert form.texts["settings.surge"] == "5/1h"
    said = {
        "settings.surge": "",
        "settings.send_window": "mon-fri 09:00-17:00 contact",
        "settings.when_capped": "skip",
    }
    settings = _parsed(replace(form, texts={**form.texts, **said}).written(before)).settings
    assert settings.surge is None
    worked_out = replace(form, texts={**form.texts, "settings.surge": "auto/1h"}).written(before)
    assert form_of(_parsed(worked_out)).texts["settings.surge"] == "auto/1h"
    assert settings.send_window is not None
    assert (settings.send_window.timezone, len(settings.send_window.days)) == ("contact", 5)
    assert settings.when_capped == "skip"


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("settings.send_window", "noon", "‘noon’ is no send window"),
        ("settings.send_window", "mon 09:00-09:00", "they must differ"),
        ("settings.send_window", "mon 09:00-17:00 Mars", "Mars"),
        ("settings.surge", "many", "‘many’ is no surge"),
        ("settings.surge", "5/5s", "is no span"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_at_its_field(name: str, line: str, said: str) -> None:
    """Whether it cannot be read, or says what is not allowed."""
    before = _with_filters()
    form = form_of(before)
    form = replace(form, texts={**form.texts, name: line})
    _, faults = read_definition("", form.written(before))
    assert said in form.errors([*form.faults(), *faults])[name]


def test_a_page_from_before_a_field_was_there_does_not_empty_it() -> None:
    """A text that a browser did not send stays as it is saved."""
    before = _with_filters(settings={"surge": {"at_most": 5, "within": "1h"}})
    saved = form_of(before).texts
    sent = [pair for pair in form_of(before).pairs() if pair[0] != "settings.surge"]
    assert _parsed(posted(sent, saved).written(before)).settings.surge is not None

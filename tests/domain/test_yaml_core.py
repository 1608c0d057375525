"""YAML files: what is written is read back unchanged, and limits hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.yaml_files import core as yaml_core
from halo_engine.domain.yaml_files.core import DEEPEST, LONGEST_NUMBER, dump_yaml, load_yaml

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab:- #", max_size=5), inner)
    ),
    max_leaves=12,
)


@given(_DATA)
def test_dumped_data_is_read_back(data: object) -> None:
    """Dumping and reading changes no data that a definition can hold."""
    assert load_yaml(dump_yaml(data), "file") == data


@pytest.mark.parametrize(
    "text",
    [
        *("on", "no", "17:00", "2026-06-01", "0o17", "1e3", "0x1F", "1_000", "~", "null", "True"),
        *("", " ", "- a", "a: b", "# a", "a\nb", "a\n\n b\n", "\ttab\n", "trailing \nspace", "é"),
        *(".inf", ".5", "12", "0123", "=", "<<", "'", '"', "{{ name|there }}", "|", ">", "%", "@a"),
    ],
)
def test_text_stays_text(text: str) -> None:
    """Text that looks like something else, in YAML 1.1 or 1.2, is quoted."""
    assert load_yaml(dump_yaml({"key": text, text or "k": [text]}), "file") == {
        "key": text,
        text or "k": [text],
    }


def test_what_is_short_stands_on_one_line() -> None:
    """Short objects and lists are written on one line; longer ones, and text of several lines, are
    not.
    """
    filters = [{"field": "plan", "operator": "is", "value": "pro"}]
    assert dump_yaml(
        {"filters": filters, "body": "Hello\nBye\n", "long": ["a" * 50, "b" * 50]}
    ) == (
        "filters: [{field: plan, operator: is, value: pro}]\n"
        "body: |\n"
        "  Hello\n"
        "  Bye\n"
        "long:\n"
        f"  - {'a' * 50}\n"
        f"  - {'b' * 50}\n"
    )


def test_aliases_are_written_out_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias counts as all values that it stands for."""
    monkeypatch.setattr(yaml_core, "MOST_VALUES", 12)
    assert load_yaml("a: &a [1, 2]\nb: &b [*a]\nc: 1", "f.yaml") == {
        "a": [1, 2],
        "b": [[1, 2]],
        "c": 1,
    }
    with pytest.raises(Refusal) as refused:
        load_yaml("a: &a [1, 2]\nb: &b [*a]\nc: [*b]", "f.yaml")
    assert refused.value.message == (
        "f.yaml, line 3, column 5: more than 12 values, all aliases written out; "
        "allowed is YAML 1.2"
    )


_DEEP = "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)
_LONG = "1" * (LONGEST_NUMBER + 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "line 1, column 8: the alias *a stands within what it repeats"),
        ("a: &a {b: *a}", "line 1, column 11: the alias *a stands within what it repeats"),
        (_DEEP, f"line 1, column {DEEPEST + 1}: nested deeper than {DEEPEST} levels"),
        (
            f"a: {_LONG}",
            "line 1, column 4: a number of 101 characters; at most 100 are read",
        ),
        (f"a: 0.{_LONG}", "line 1, column 4: a number of 103 characters; at most 100 are read"),
        (f"a: !!int '{_LONG}'", "line 1, column 4: a number of 101 characters; at most 100"),
        (
            "a:\n  - !!timestamp 2026-01-01",
            "line 2, column 5: the tag ‘tag:yaml.org,2002:timestamp’ is none of the core schema",
        ),
        ("a: !!binary aGk=", "line 1, column 4: the tag ‘tag:yaml.org,2002:binary’ is none"),
        ("a: !!set {b}", "line 1, column 4: the tag ‘tag:yaml.org,2002:set’ is none"),
        ("a: !mine b", "line 1, column 4: the tag ‘!mine’ is none of the core schema"),
        ("a: !!int b", "line 1, column 4: ‘b’ is not of the tag ‘tag:yaml.org,2002:int’"),
        ("a: !!bool b", "line 1, column 4: ‘b’ is not of the tag ‘tag:yaml.org,2002:bool’"),
        ("a: !!map b", "line 1, column 4: the tag ‘tag:yaml.org,2002:map’ is of another kind"),
        ('a: "\\U00110000"', "line 1, column 7: cannot be read"),
    ],
)
def test_what_cannot_be_held_is_refused_by_its_place(text: str, said: str) -> None:
    """A value beyond the limits is refused with its line and column."""
    with pytest.raises(Refusal) as refused:
        load_yaml(text, "f.yaml")
    assert refused.value.message.startswith(f"f.yaml, {said}")


def test_file_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text beyond the bound is refused before it is parsed."""
    monkeypatch.setattr(yaml_core, "MOST_CHARACTERS", 4)
    assert load_yaml("a: 1", "f.yaml") == {"a": 1}
    with pytest.raises(Refusal, match=r"f\.yaml: is longer than 4 characters"):
        load_yaml("a: 12", "f.yaml")


def test_tags_of_the_core_schema_are_read() -> None:
    """A value that fits its tag has the tag's type."""
    assert load_yaml("[!!str 1, !!int 1, !!float 1, !!null '', !!bool 'true']", "f") == [
        "1",
        1,
        1.0,
        None,
        True,
    ]

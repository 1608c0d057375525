"""YAML as files are written: what is dumped is read back as it was, whatever it looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.yaml_core import dump_yaml, load_yaml

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
    """Whatever data a definition holds, dumping and reading it changes nothing."""
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
    """Short objects and lists are written flat, longer ones and several lines of text are not."""
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

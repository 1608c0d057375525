"""Values that hostile callers send: any JSON, with texts that are likely to matter."""

from collections.abc import Sequence

from hypothesis import strategies as st

Strategy = st.SearchStrategy[object]


def texts_among(likely: Sequence[str]) -> st.SearchStrategy[str]:
    """Return texts of any length and any character, and often one that is ``likely`` to matter."""
    return st.one_of(
        st.sampled_from(likely),
        st.text(max_size=300),
        st.text(st.characters(codec=None), max_size=20),
    )


def json_with(texts: st.SearchStrategy[str]) -> Strategy:
    """Return any JSON whose texts and keys are ``texts``."""
    return st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)
        ),
        max_leaves=8,
    )

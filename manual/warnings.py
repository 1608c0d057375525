"""Makes the page of warnings about series from their checks."""

from typing import Final

from halo_engine.series.checking.warnings import CHECKS
from manual.markdown import code, table

_INTRODUCTION: Final = """\
# Warnings

`halo series check`, `apply` and `show` warn of what can be activated but will not do what its
author wants. Each warning has a code, a place in the series, what is so, and what to do.

"""


def page() -> str:
    """Return the page: each code with what it warns of."""
    rows = [(code(check.code), check.words) for check in CHECKS]
    return _INTRODUCTION + table(("code", "warns of"), rows)

"""Makes the page of refusals from the declared codes."""

from typing import Final

from halo_engine.domain.refusals import REFUSALS
from manual.markdown import code, table

_INTRODUCTION: Final = """\
# Refusals

What is refused, and why. A refusal has a `status`, a `code` that stays the same from version to
version, and a `message` that names the field and what is allowed. Nothing of a refused call is
written, and it is never tried again. How to read one:
[calling the engine](../guides/calling.md#how-to-read-a-refusal).

"""


def page() -> str:
    """Return the page: each code with its statuses and what it means."""
    rows = [(code(each.key), ", ".join(map(str, each.statuses)), each.words) for each in REFUSALS]
    return _INTRODUCTION + table(("code", "status", "refused is"), rows)

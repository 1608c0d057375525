"""Makes the page of reason codes from the guards, in their order."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.series.guard_parts import GuardScope
from halo_engine.domain.series.guards import GUARDS, UNREFUSED
from manual.markdown import code, table

_INTRODUCTION: Final = """\
# Reason codes

Why a contact is not in a series. `halo explain CONTACT SERIES` answers with one of these codes, or
with `active`; the ledger counts by them. Codes stay the same from version to version.

The guards are asked in this order, and the first that refuses gives the code. If several would
refuse, the others show once the first is out of the way.

"""
_KEPT: Final = """
For `user_created` and `event` series the latest refusal of a contact is kept with its instant, so
explain can say why it was refused when the trigger fired, also if nothing would refuse it now.
[How explain answers](../explanation/explain.md) has the whole order.

## When nothing refuses

"""


def _numbered() -> Iterator[tuple[str, str, str]]:
    """Yield each guard; that about discards is a part of the last one, and has no number."""
    number = 0
    for guard in GUARDS:
        number += guard.about is not GuardScope.DISCARD
        shown = "" if guard.about is GuardScope.DISCARD else str(number)
        yield shown, code(guard.key), guard.words


def page() -> str:
    """Return the page: each guard with its code, then the codes of explain if no guard refuses."""
    guards = list(_numbered())
    others = [(code(each.key), each.words) for each in UNREFUSED]
    return (
        f"{_INTRODUCTION}{table(('', 'code', 'refuses when'), guards)}{_KEPT}"
        f"{table(('code', 'says that'), others)}"
    )

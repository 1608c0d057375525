"""Traits as clients name them, as ours (contract §13)."""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.clients.instants import as_iso
from halo_engine.domain.fields.traits import RESERVED

#: Other products' names of the sign-up's instant; the first that is given counts.
_SIGNED_UP: Final[tuple[str, ...]] = ("createdAt", "created_at")


def our_traits(
    theirs: Mapping[str, Any], where: str, *also_left_out: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return traits as our doors take them, and a warning that names those left out.

    ``createdAt`` and ``created_at`` are ``signed_up_at``, unless that is given. Left out are
    reserved traits, and those that ``also_left_out`` names. Raises a 400 for a date of no calendar.
    """
    ours = dict(theirs)
    signed_up = [(name, ours.pop(name)) for name in _SIGNED_UP if name in ours]
    if signed_up and "signed_up_at" not in ours:
        name, given = signed_up[0]
        ours["signed_up_at"] = as_iso(given, f"{where}.{name}")
    left_out = [name for name in (*RESERVED, *also_left_out) if name in ours]
    for name in left_out:
        del ours[name]
    if not left_out:
        return ours, ()
    return ours, (f"{where}: {', '.join(left_out)} left out; Halo manages {', '.join(RESERVED)}",)

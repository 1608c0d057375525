"""What a run keeps of the properties of the event that begins it (contract §21)."""

from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.errors import shown
from halo_engine.domain.values import compact_size

#: In bytes, as compact JSON.
LARGEST_KEPT: Final = 8_192
_BRACES: Final = 2
_COMMA: Final = 1


def left_out_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the properties that are too large to keep: the largest, until the others fit.

    Of two that are equally large the later by name goes first.
    """
    if not properties or (size := compact_size(properties)) <= LARGEST_KEPT:
        return ()
    sizes = {name: compact_size({name: value}) - _BRACES for name, value in properties.items()}
    left_out = []
    for name in sorted(sizes, key=lambda each: (sizes[each], each), reverse=True):
        left_out.append(name)
        size -= sizes[name] + _COMMA
        if size <= LARGEST_KEPT:
            break
    return tuple(left_out)


def not_kept(left_out: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warning about properties that runs do not keep; nothing if there are none."""
    if not left_out:
        return ()
    names = ", ".join(map(shown, left_out))
    bound = f"a run that this event begins keeps {LARGEST_KEPT} bytes of them at most"
    return (f"properties: {bound}, so it is without {names}; the event itself is whole",)

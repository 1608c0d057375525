"""What the C library's allocator keeps of memory that was freed: as little as it may.

By itself it learns from large bodies to keep their room, and each thread has an arena of its own:
what came at once once would be kept for good.
"""

import ctypes
from typing import Final

#: From `malloc.h`: a parameter's number, and its value here.
_PARAMETERS: Final = {
    -1: 128 * 1024,  # M_TRIM_THRESHOLD: what is free at the end is given back from so many bytes on
    -3: 128 * 1024,  # M_MMAP_THRESHOLD: so large a piece is a mapping, given back when it is freed
    -8: 2,  # M_ARENA_MAX
}


def give_back_freed_memory() -> None:
    """Tell the allocator, where it is one that can be told (glibc's)."""
    set_parameter = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_parameter is not None:
        for parameter, value in _PARAMETERS.items():
            set_parameter(parameter, value)

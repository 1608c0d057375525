"""What a cell may be called: its name is part of the names of its queues."""

import re
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
ALLOWED: Final = "small letters, digits and -, at most 32, beginning and ending without -"


def is_cell_name(name: str) -> bool:
    """Return whether a cell may be called so."""
    return _NAME.fullmatch(name) is not None

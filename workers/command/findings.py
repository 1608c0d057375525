"""What `halo doctor` finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: `ok`, `note` (may be intended) or `wrong`, and what to do about it."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    said: str
    remedy: str | None = None

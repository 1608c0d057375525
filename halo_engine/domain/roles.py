"""What the holder of an operator key may do in its organisation (contract §12)."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """The role of an operator key; ``ingest`` is an application's backend, not a person's."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    INGEST = "ingest"


#: Operators' roles, each of which may do all that those before it may.
_RANKS: Final = (Role.VIEWER, Role.EDITOR, Role.ADMIN)


def may(role: Role, needed: Role) -> bool:
    """Return whether ``role`` may do what ``needed`` may.

    ``ingest`` stands apart: it may do what ``ingest`` may, and nothing else.
    """
    if Role.INGEST in (role, needed):
        return role is needed
    return _RANKS.index(role) >= _RANKS.index(needed)

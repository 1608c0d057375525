"""Notes that something happened to contacts which series may react to (contract §1, §2)."""

from dataclasses import dataclass
from typing import Final

from tests.model.language.people import Contact, Event

#: In `changed`: the contact is new, so all of it is.
EVERYTHING: Final = frozenset({"*"})


@dataclass(frozen=True)
class Signal:
    """Something happened to contacts; exits and goals always react (contract §2).

    `created` and `promoted` concern `user_created` series; `changed` holds the keys of changed
    traits, to which those `segment_match` series react whose audience names one; `moved` says that
    a contact joined a company; `event` is what was tracked. All series see who left.
    """

    contacts: tuple[Contact, ...]
    created: bool = False
    promoted: bool = False
    changed: frozenset[str] = frozenset()
    moved: bool = False
    event: Event | None = None

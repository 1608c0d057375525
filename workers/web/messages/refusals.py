"""The parts of a refusal's message as members: field, index, and what is allowed (contract §12).

Messages have one form, ``field: problem; allowed is …`` (contract §11), from which these are read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.doors.table import DOORS

_TASKS: Final = "|".join(
    re.escape(door.task) for door in sorted(DOORS.values(), key=lambda it: -len(it.name))
)
#: A field, below the name of the task if the message begins with one.
_FIELD: Final = re.compile(rf"(?:(?:{_TASKS})(?:\.|: ))?(?P<field>[A-Za-z_][\w.\-\[\]]*): ")
_INDEX: Final = re.compile(r"\[([0-9]+)\]")
_ALLOWED: Final = re.compile(r"\ballowed (?:is|are) (.+)")


def members(refusal: Refusal) -> Mapping[str, Any]:
    """Return ``field``, ``index`` and ``allowed`` as far as the message has them; and ``faults``,
    if there are several.
    """
    said: dict[str, Any] = {}
    first, _, _ = refusal.message.partition("\n")
    found = _FIELD.match(first)
    if found is not None:
        said["field"] = found["field"]
        index = _INDEX.search(found["field"])
        if index is not None:
            said["index"] = int(index[1])
    allowed = _ALLOWED.search(first)
    if allowed is not None:
        said["allowed"] = allowed[1]
    if refusal.faults:
        said["faults"] = refusal.faults
    return said

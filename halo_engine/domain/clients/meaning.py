"""What a message of a client asks of our doors, and how its parts are read (contract §13)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.fields.traits import check_external_id


class TakenAt(NamedTuple):
    """When a message is taken, and the zone of dates without an offset."""

    now: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class DoorCall:
    """A call of a door: its name without ``halo.``, and the call's fields."""

    door: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a message asks for.

    ``steps`` are done in order. ``anonymous`` are traits to keep of the ``session_id``, until
    somebody says who that is. ``only_known``: nothing is done where the user is unknown.
    ``warnings`` say what was left out.
    """

    steps: tuple[DoorCall, ...] = ()
    session_id: str | None = None
    anonymous: Mapping[str, Any] | None = None
    only_known: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A message as it came: its kind, its content, and when its batch was sent.

    ``key`` identifies it when it comes again; ``body`` is its content as text, if another body
    under the same key is to be refused.
    """

    kind: str
    content: Mapping[str, Any]
    sent_at: object = None
    key: str | None = None
    body: str | None = field(default=None, repr=False)


def read_id(content: Mapping[str, Any], name: str) -> str | None:
    """Return the ID that ``name`` gives, a number as its digits; None if it is missing or empty.

    Raises a 400 for anything else.
    """
    given = content.get(name)
    if given is None or given == "":
        return None
    if isinstance(given, int | float) and not isinstance(given, bool):
        is_whole = isinstance(given, int) or given.is_integer()
        given = str(int(given)) if is_whole and abs(given) < 2**63 else given
    return check_external_id(given, name)


def read_object(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object that ``name`` gives, which the door checks; an empty one if it is missing,
    or an empty list, as PHP writes an empty object. Raises a 400 for anything else.
    """
    given = content.get(name)
    if given is None or given == []:
        return {}
    if not isinstance(given, dict):
        raise bad_input(
            name, f"{shown(given)} is refused; allowed is an object, or null", "bad_json"
        )
    return given


def read_text(content: Mapping[str, Any], name: str) -> str | None:
    """Return the text that ``name`` gives; None if it is missing or empty. Raises a 400 for
    anything else.
    """
    given = content.get(name)
    if given is None or isinstance(given, str):
        return given or None
    raise bad_input(name, f"{shown(given)} is refused; allowed is text, or null")

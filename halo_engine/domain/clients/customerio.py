"""Calls of Customer.io's clients, as calls of our doors (contract §13)."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from halo_engine.domain.clients.instants import when
from halo_engine.domain.clients.meaning import (
    ClientMessage,
    DoorCall,
    Meaning,
    TakenAt,
    read_id,
    read_object,
    read_text,
)
from halo_engine.domain.clients.traits import our_traits
from halo_engine.domain.errors import bad_input
from halo_engine.domain.values import check_json

CUSTOMER: Final = "customer"
EVENT: Final = "event"

#: The prefix of the event of a viewed page or screen; other events keep their names.
_VIEWED: Final = {"page": "Page", "screen": "Screen"}


def customer_of(user_id: str, attributes: Mapping[str, Any]) -> ClientMessage:
    """Return the message of ``PUT /api/v1/customers/{id}``."""
    return ClientMessage(CUSTOMER, {"user_id": user_id, "attributes": attributes})


def event_of(user_id: str, event: Mapping[str, Any]) -> ClientMessage:
    """Return the message of ``POST /api/v1/customers/{id}/events``; raises a 400 for a bad ``id``.

    Its ``id`` is an idempotency key.
    """
    check_json(event, "event")
    said = json.dumps([user_id, event], sort_keys=True, separators=(",", ":"))
    body = sha256(said.encode()).hexdigest()
    return ClientMessage(
        EVENT, {"user_id": user_id, "event": event}, None, read_id(event, "id"), body
    )


def meaning_of(message: ClientMessage, moment: TakenAt, _kept: Mapping[str, Any]) -> Meaning:
    """Return what a call asks for; raises a 400 for one that cannot be read."""
    user_id = message.content["user_id"]
    if message.kind == EVENT:
        return _happened(user_id, message.content["event"], moment)
    theirs = message.content["attributes"]
    controls = [name for name in theirs if name.startswith("_")]
    shown = {name: value for name, value in theirs.items() if name not in controls}
    ours, warnings = our_traits(shown, "attributes")
    return Meaning(
        (DoorCall("identify", {"user_id": user_id, "traits": ours}),),
        only_known=theirs.get("_update") is True,
        warnings=warnings,
    )


def _happened(user_id: str, event: Mapping[str, Any], moment: TakenAt) -> Meaning:
    name = read_text(event, "name")
    if name is None:
        raise bad_input("name", "is required", "missing_key")
    what = _VIEWED.get(str(event.get("type")))
    fields = {
        "event": name if what is None else f"Viewed {name} {what}",
        "user_id": user_id,
        "properties": read_object(event, "data"),
        "timestamp": when(event.get("timestamp"), None, moment),
    }
    return Meaning((DoorCall("track", fields),))

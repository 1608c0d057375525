"""Make the actions that only call a door, and read what all actions are given."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.errors import bad_input, shown, validated
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.rehearsal.tokens import signed

BY: Final = "rehearsal"

Action = Callable[[Sandbox, Any], str | None]


class KeyCall(Call):
    """The key of a series."""

    series: Identifier


def mapping_of(value: Any, action: str) -> dict[str, Any]:
    """Return what an action is given, to change; raises a 400 if it is no mapping."""
    if not isinstance(value, Mapping):
        raise bad_input(action, f"{shown(value)} is no mapping")
    return dict(value)


def token_of(sandbox: Sandbox, claims: Any, lasts: timedelta) -> str | None:
    """Return the user token with these claims; None without claims, or without a secret."""
    if claims is None:
        return None
    claimed = mapping_of(claims, "user_token_claims")
    secret = sandbox.scenario.org.identity_secret
    return None if secret is None else signed(claimed, secret, sandbox.now, lasts)


def at_door(call: Any, door: Callable[..., Any], name: str) -> Action:
    """Return the action that calls a door, and keeps its answer."""

    def perform(sandbox: Sandbox, value: Any) -> None:
        asked = validated(call, mapping_of(value, name), name)
        sandbox.answer = sandbox.perform(lambda work: door(work, asked)).model_dump(mode="json")

    return perform


def operation(change: Callable[..., Any], name: str) -> Action:
    """Return the action that changes the state of a series, given its key."""

    def perform(sandbox: Sandbox, value: Any) -> None:
        key = validated(KeyCall, {"series": value}, name).series
        sandbox.perform(lambda work: change(work, key, BY))

    return perform
